import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { MetricsBook } from '../../src/metrics/metrics-book.ts'
import { FACTS, fakeReport, PORTS } from './fixtures.ts'
import { type ParsedFamily, parseMetrics } from './text-format.ts'

type Page = Map<string, ParsedFamily>

async function render(book: MetricsBook, facts = FACTS): Promise<Page> {
  return parseMetrics(await book.render(facts))
}

function value(page: Page, series: string): number | undefined {
  for (const family of page.values()) if (family.samples.has(series)) return family.samples.get(series)
  return undefined
}

function countersOf(page: Page): [string, number][] {
  return [...page.values()].filter(({ type }) => type !== 'gauge').flatMap(({ samples }) => [...samples])
}

function countSeries(page: Page, name: string): number | undefined {
  return page.get(name)?.samples.size
}

/** @throws when a counter of one page is lower on the other, or missing there */
function assertNotBack(before: Page, after: Page): void {
  for (const [series, was] of countersOf(before)) {
    const is = value(after, series)
    assert.ok(is !== undefined && is >= was, `${series} went from ${was} to ${is}`)
  }
}

describe('MetricsBook', () => {
  test('render() shows every series of a port with 0 before the first report', async () => {
    const page = await render(new MetricsBook(PORTS))

    for (const series of [
      'polyport_connections{port="line"}',
      'polyport_messages_received_total{port="line"}',
      'polyport_connections_refused_total{port="line",reason="max_connections"}',
      'polyport_connections_closed_total{port="web",reason="overflow"}',
      'polyport_handler_duration_seconds_count{port="line"}',
      'polyport_http_requests_total{port="web",method="GET",status="5xx"}',
      'polyport_http_request_duration_seconds_bucket{port="web",le="+Inf"}',
    ]) {
      assert.equal(value(page, series), 0, series)
    }
    assert.equal(value(page, 'polyport_http_request_duration_seconds_count{port="line"}'), undefined)
  })

  test('render() sums the counters of two workers and keeps their gauges apart by slot', async () => {
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 5))
    book.record(1, fakeReport(101, 7))

    const page = await render(book)

    assert.equal(value(page, 'polyport_messages_received_total{port="line"}'), 12)
    assert.equal(value(page, 'polyport_bytes_received_total{port="line"}'), 120)
    assert.equal(value(page, 'polyport_connections{port="line"}'), 4)
    assert.equal(value(page, 'polyport_connections_closed_total{port="line",reason="client"}'), 2)
    assert.equal(value(page, 'polyport_http_requests_total{port="web",method="GET",status="2xx"}'), 12)
    assert.equal(value(page, 'polyport_handler_duration_seconds_count{port="line"}'), 12)
    assert.equal(value(page, 'polyport_handler_duration_seconds_bucket{port="line",le="0.0001"}'), 2)
    assert.equal(value(page, 'polyport_worker_resident_memory_bytes{worker="0"}'), 1100)
    assert.equal(page.get('polyport_info')?.samples.size, 1)
    assert.equal(value(page, 'polyport_table_size_rows{table="ws"}'), 100)
    assert.equal(value(page, 'polyport_users'), 2)
  })

  test('refuse() adds what the master has turned away to what the workers have', async () => {
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 5))
    book.refuse('line', 'error')
    book.refuse('line', 'error')

    const page = await render(book)

    assert.equal(value(page, 'polyport_connections_refused_total{port="line",reason="error"}'), 2)
    assert.equal(value(page, 'polyport_connections_refused_total{port="web",reason="error"}'), 0)
  })

  test('retire() keeps what a dead worker counted and drops what it measured', async () => {
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 5))
    book.record(1, fakeReport(101, 7))
    const before = await render(book)

    book.retire(101)
    book.retire(101)
    const after = await render(book)

    assertNotBack(before, after)
    assert.equal(value(after, 'polyport_messages_received_total{port="line"}'), 12)
    assert.equal(value(after, 'polyport_connections{port="line"}'), 2)
    assert.equal(countSeries(after, 'polyport_worker_resident_memory_bytes'), 1)
    assert.equal(countSeries(after, 'polyport_worker_cpu_seconds_total'), 2)
    assert.equal(book.ports().find((port) => port.name === 'line')?.accepted, 12)
  })

  test('no counter goes back over 200 replaced workers with fractional sums', async () => {
    const book = new MetricsBook(PORTS)
    let before = await render(book)
    for (let i = 0; i < 200; i++) {
      if (i % 2 === 0) book.retire(1000 + Math.floor(i / 3))
      else book.record(i % 3, fakeReport(1000 + i, (i * 7) % 5))
      const after = await render(book)
      assertNotBack(before, after)
      before = after
    }
  })

  test('two processes of a slot count together until one of them ends', async () => {
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 5))
    book.record(0, fakeReport(200, 1))
    const both = await render(book)
    book.record(0, fakeReport(100, 6))
    book.retire(100)
    const one = await render(book)

    assert.equal(book.reportOf(200)?.pid, 200)
    assert.equal(book.reportOf(100), undefined)
    assert.equal(value(both, 'polyport_messages_received_total{port="line"}'), 6)
    assert.equal(value(one, 'polyport_messages_received_total{port="line"}'), 7)
    assert.equal(countSeries(one, 'polyport_worker_resident_memory_bytes'), 1)
  })

  test('render() uses the last report of a worker that does not answer, and says so', async () => {
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 5))
    book.record(1, fakeReport(101, 7))
    await render(book)

    book.record(0, fakeReport(100, 6))
    const page = await render(book, { ...FACTS, missingWorkers: 1 })

    assert.equal(value(page, 'polyport_messages_received_total{port="line"}'), 13)
    assert.equal(value(page, 'polyport_scrape_missing_workers'), 1)
  })

  test('the longest loop delay is kept until it has been scraped', async () => {
    const book = new MetricsBook(PORTS)
    const report = fakeReport(100, 0)
    book.record(0, { ...report, loopLag: { mean: 0, max: 2 } })
    book.record(0, { ...report, loopLag: { mean: 0, max: 0.5 } })

    const first = await render(book)
    book.record(0, { ...report, loopLag: { mean: 0, max: 0.25 } })
    const second = await render(book)

    assert.deepEqual([...(first.get('polyport_worker_eventloop_lag_seconds')?.samples.values() ?? [])], [2])
    assert.deepEqual([...(second.get('polyport_worker_eventloop_lag_seconds')?.samples.values() ?? [])], [0.25])
  })

  test('promtool check metrics accepts the page without a warning', { skip: spawnSync('promtool', ['--version']).error !== undefined }, async () => {
    const book = new MetricsBook(PORTS)
    book.record(0, fakeReport(100, 5))
    book.record(1, fakeReport(101, 7))

    const result = spawnSync('promtool', ['check', 'metrics'], { input: await book.render(FACTS), encoding: 'utf8' })

    assert.deepEqual([result.stdout, result.stderr, result.status], ['', '', 0])
  })
})
