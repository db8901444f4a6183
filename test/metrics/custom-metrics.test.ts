import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Counter, Gauge, Histogram, type Registry, Summary } from 'prom-client'
import { withinPage } from '../../src/metrics/custom-metrics.ts'
import { lazyRegistry } from '../../src/metrics/lazy-registry.ts'
import { MetricsBook } from '../../src/metrics/metrics-book.ts'
import { FACTS, fakeReport, PORTS } from './fixtures.ts'
import { parseMetrics } from './text-format.ts'

async function samples(book: MetricsBook, name: string): Promise<Record<string, number> | undefined> {
  const family = parseMetrics(await book.render(FACTS)).get(name)
  return family === undefined ? undefined : Object.fromEntries(family.samples)
}

/** What a worker whose handler did this would send, over a channel of JSON. */
async function customOf(use: (registers: Registry[]) => void): Promise<unknown[]> {
  const lazy = lazyRegistry()
  use([lazy.registry])
  return JSON.parse(JSON.stringify(await lazy.custom()))
}

describe('metrics of handlers', () => {
  test('counters are summed over workers and outlive them', async () => {
    const orders = (count: number) =>
      customOf((registers) => new Counter({ name: 'orders_total', help: 'Orders.', labelNames: ['kind'], registers }).inc({ kind: 'a"b\n' }, count))
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 0, await orders(2)))
    book.record(1, fakeReport(101, 0, await orders(3)))
    book.retire(101)
    book.record(1, fakeReport(102, 0, await orders(4)))

    assert.deepEqual(await samples(book, 'orders_total'), { 'orders_total{kind="a\\"b\\n"}': 9 })
  })

  test('gauges follow their aggregator and vanish with their worker', async () => {
    const gauges = (depth: number) =>
      customOf((registers) => {
        new Gauge({ name: 'queue_depth', help: 'Summed.', registers }).set(depth)
        new Gauge({ name: 'queue_oldest', help: 'Largest.', registers, aggregator: 'max' }).set(depth)
        new Gauge({ name: 'queue_hidden', help: 'Left out.', registers, aggregator: 'omit' }).set(depth)
      })
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 0, await gauges(2)))
    book.record(1, fakeReport(101, 0, await gauges(3)))

    assert.deepEqual(await samples(book, 'queue_depth'), { queue_depth: 5 })
    assert.deepEqual(await samples(book, 'queue_oldest'), { queue_oldest: 3 })
    assert.equal(await samples(book, 'queue_hidden'), undefined)

    book.retire(101)

    assert.deepEqual(await samples(book, 'queue_depth'), { queue_depth: 2 })
  })

  test('histograms are merged; of summaries sum and count remain', async () => {
    const observed = await customOf((registers) => {
      new Histogram({ name: 'wait_seconds', help: 'Waits.', registers, buckets: [0.1, 1] }).observe(0.5)
      new Summary({ name: 'size_bytes', help: 'Sizes.', registers }).observe(7)
    })
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 0, observed))
    book.retire(100)
    book.record(0, fakeReport(101, 0, observed))

    assert.deepEqual(await samples(book, 'wait_seconds'), {
      'wait_seconds_bucket{le="0.1"}': 0,
      'wait_seconds_bucket{le="1"}': 2,
      'wait_seconds_bucket{le="+Inf"}': 2,
      wait_seconds_sum: 1,
      wait_seconds_count: 2,
    })
    assert.deepEqual(await samples(book, 'size_bytes'), { size_bytes_sum: 14, size_bytes_count: 2 })
  })

  test('a counter that its handler resets stays where it was until it is beyond', async () => {
    const hits = (count: number) => customOf((registers) => new Counter({ name: 'hits_total', help: 'Hits.', registers }).inc(count))
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 0, await hits(5)))
    await book.render(FACTS)
    book.record(0, fakeReport(100, 0, await hits(1)))

    assert.deepEqual(await samples(book, 'hits_total'), { hits_total: 5 })
  })

  test('names of Polyport, clashing types and what is no metric are omitted and counted; the page stays valid', async () => {
    const book = new MetricsBook(PORTS)
    const good = {
      name: 'x',
      help: 'X.',
      type: 'gauge',
      aggregator: 'nonsense',
      values: [
        { value: 1, labels: {} },
        { value: null, labels: {} },
      ],
    }
    book.record(0, fakeReport(100, 0, [good, { ...good, name: 'polyport_users' }, { ...good, name: 'a b' }, null, { ...good, values: 7 }]))
    book.record(1, fakeReport(101, 0, [{ ...good, type: 'counter' }]))

    assert.deepEqual(await samples(book, 'x'), { x: 1 })
    assert.deepEqual(await samples(book, 'polyport_users'), { polyport_users: 2 })
    assert.deepEqual(await samples(book, 'polyport_custom_metrics_omitted'), { polyport_custom_metrics_omitted: 5 })
  })

  test('a page holds 10,000 series at most', async () => {
    const many = await customOf((registers) => {
      const small = new Counter({ name: 'a_total', help: 'Fits.', registers })
      const large = new Counter({ name: 'b_total', help: 'Does not.', labelNames: ['fd'], registers })
      small.inc()
      for (let fd = 0; fd < 10_000; fd++) large.inc({ fd })
    })
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 1, many))

    const page = parseMetrics(await book.render(FACTS))

    assert.ok([...page.values()].reduce((sum, { samples: { size } }) => sum + size, 0) <= 10_000)
    assert.ok(page.has('a_total'))
    assert.ok(!page.has('b_total'))
  })
})

describe('lazyRegistry', () => {
  test('custom() is empty, and prom-client not loaded, before the registry is used', async () => {
    assert.deepEqual(await lazyRegistry().custom(), [])
  })

  test('custom() gives the last value of a metric whose collect fails or hangs, and tells of it', { timeout: 5000 }, async () => {
    const errors: string[] = []
    const lazy = lazyRegistry((_error, metric) => errors.push(metric))
    let round = 0
    const collectors = { throws_total: () => Promise.reject(new Error('no')), hangs_total: () => new Promise<void>(() => {}) }
    for (const [name, fail] of Object.entries(collectors)) {
      const counter: Counter = new Counter({ name, help: 'X.', registers: [lazy.registry], collect: () => (round === 0 ? counter.inc(4) : fail()) })
    }

    const first = await lazy.custom()
    round++
    const second = await lazy.custom()

    assert.deepEqual(
      first.map(({ values }) => values[0]?.value),
      [4, 4],
    )
    assert.deepEqual(second, first)
    assert.deepEqual(errors.toSorted(), ['hangs_total', 'throws_total'])
  })

  test('withinPage() keeps of a metric that no page shows just enough to see that', () => {
    const metricOf = (name: string, count: number) => ({
      name,
      help: '',
      type: 'counter' as const,
      aggregator: 'sum',
      values: Array.from({ length: count }, (_, n) => ({ value: 1, labels: { n } })),
    })

    const [few, many] = withinPage(10, [metricOf('few', 10), metricOf('many', 100)])

    assert.equal(few?.values.length, 10)
    assert.equal(many?.values.length, 11)
  })
})
