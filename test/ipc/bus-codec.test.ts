import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeBusMessage, encodeBusMessage } from '../../src/ipc/bus-codec.ts'
import type { BusMessage } from '../../src/ipc/messages.ts'

const ORIGIN = { owner: 4_294_967_295, sequence: 2 ** 40 }

describe('bus-codec', () => {
  const cases: Record<string, BusMessage> = {
    'text with a name': { kind: 'publish', fd: 0, name: 'r\u00e4ume', except: [7, 2 ** 40], payload: 'h\u00e9' },
    bytes: { kind: 'send', fd: 2 ** 40, name: '', except: [], payload: Buffer.from([0, 255]) },
    'no payload': { kind: 'close', fd: 1, name: '', except: [], payload: undefined },
    'more exceptions than 16 bits count': { kind: 'publish', fd: 0, name: 'all', except: Array.from({ length: 70_000 }, (_, i) => i), payload: 'x' },
  }
  for (const [name, message] of Object.entries(cases)) {
    test(`${name} comes out as it went in`, () => {
      assert.deepEqual(decodeBusMessage(encodeBusMessage(message, ORIGIN)), { message, origin: ORIGIN })
    })
  }
})
