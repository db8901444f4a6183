import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { StreamHandle } from '../../src/net/node-internals.ts'
import { Reactor } from '../../src/worker/reactor.ts'
import { silentLog } from '../admin/fixtures.ts'

test('Reactor.adopt() closes a connection of a port that a reload has taken away: it may come from a worker that has died', () => {
  const config = resolveConfig({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts' }] })
  const parts = { config, loaded: [], daemon: { log: silentLog() }, onAccepted: () => {}, onRested: undefined, onOverload: () => {} }
  const reactor = new Reactor(parts as unknown as ConstructorParameters<typeof Reactor>[0])
  let isClosed = false
  const client = { fd: 9, close: () => void (isClosed = true) } as unknown as StreamHandle

  reactor.adopt('gone', client, 0)

  assert.ok(isClosed)
})
