import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { AsyncEvent } from '../../src/contracts/event.ts'
import { QueueFullError } from '../../src/errors.ts'
import { Emitter } from '../../src/events/emitter.ts'

class Saved extends AsyncEvent<number> {}

test('Emitter.emit() rejects once when one listener is refused at once and another, handed over before, is refused later', async (t) => {
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const emitter = new Emitter({
    config: { modules: [], listeners: { Saved: ['First', 'Second'] } },
    tasks: {
      encode: () => Buffer.alloc(0),
      handListener: (className) => {
        if (className === 'Second') throw new QueueFullError('full here')
        return turn().then(() => Promise.reject(new QueueFullError('full there')))
      },
    },
  })

  await assert.rejects(emitter.emit(new Saved(1)), /full here/)
  await turn()
  await turn()

  assert.deepEqual(unhandled, [])
})
