import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { PortCounters } from '../../src/metrics/port-counters.ts'
import { WorkerMetrics } from '../../src/metrics/worker-metrics.ts'

describe('WorkerMetrics', () => {
  test('report() tells of this process, its ports and its own metrics', async () => {
    const port = new PortCounters().report({ name: 'line', protocol: 'tcp' })
    const metrics = new WorkerMetrics({ ports: () => [port], custom: async () => [{ name: 'x' }] })

    const report = await metrics.report()

    assert.equal(report.pid, process.pid)
    assert.ok(report.memory.rss > report.memory.heapUsed && report.memory.heapUsed > 0)
    assert.ok(report.cpu.user > 0)
    assert.deepEqual(report.ports, [port])
    assert.deepEqual(report.custom, [{ name: 'x' }])
  })

  test('report() tells how long the event loop was blocked since the last one, also right after it', async () => {
    const metrics = new WorkerMetrics({ ports: () => [], custom: async () => [] })
    metrics.start()
    metrics.start()
    await metrics.report()
    const end = performance.now() + 700
    while (performance.now() < end);
    // Timers that are due run before this one.
    await new Promise((resolve) => setTimeout(resolve, 1))

    const blocked = await metrics.report()
    const after = await metrics.report()
    metrics.stop()
    metrics.stop()

    assert.ok(blocked.loopLag.max >= 0.4 && blocked.loopLag.max < 5, String(blocked.loopLag.max))
    assert.ok(blocked.loopLag.mean > 0)
    assert.deepEqual(after.loopLag, { mean: 0, max: 0 })
  })

  test('neither keeps the process alive nor loads prom-client', () => {
    const script = `
      const { WorkerMetrics } = await import(${JSON.stringify(fileURLToPath(new URL('../../src/metrics/worker-metrics.ts', import.meta.url)))})
      const { lazyRegistry } = await import(${JSON.stringify(fileURLToPath(new URL('../../src/metrics/lazy-registry.ts', import.meta.url)))})
      const lazy = lazyRegistry()
      const metrics = new WorkerMetrics({ ports: () => [], custom: () => lazy.custom() })
      metrics.start()
      await metrics.report()
      const { createRequire } = await import('node:module')
      console.log(Object.keys(createRequire(import.meta.url).cache).filter((file) => file.includes('prom-client') || file.includes('@prometheus-io')).length)
    `
    const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 20_000 })

    assert.deepEqual([result.stdout, result.status], ['0\n', 0], result.stderr)
  })
})
