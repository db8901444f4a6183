import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Lag } from '../../src/net/lag.ts'

function started(t: TestContext, limitMs: number): { lag: Lag; changes: boolean[] } {
  const changes: boolean[] = []
  const lag = new Lag({ limitMs, onChange: (isOverloaded) => changes.push(isOverloaded) })
  lag.start()
  t.after(() => lag.stop())
  return { lag, changes }
}

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('Lag knows of a loop that is blocked before its timer could run, and forgets it within five seconds', async (t) => {
  const { lag, changes } = started(t, 100)
  block(400)

  assert.ok(lag.ms >= 300, `${lag.ms} ms`)
  await sleep(60)
  assert.deepEqual(changes, [true])
  const start = performance.now()
  while (lag.isOverloaded && performance.now() - start < 5000) await sleep(50)
  assert.deepEqual(changes, [true, false])
})

test('Lag ends an overload of any size within five seconds', async (t) => {
  const { lag } = started(t, 10)
  block(2000)
  await sleep(60)
  assert.ok(lag.isOverloaded && lag.ms <= 320, `${lag.ms} ms`)
})

test('Lag is nothing before its start and after its end', (t) => {
  const { lag } = started(t, 100)
  lag.stop()
  block(200)

  assert.equal(lag.ms, 0)
})
