import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { busMetrics } from '../../src/ipc/bus-metrics.ts'
import { lifecycleMetrics } from '../../src/lifecycle/lifecycle.ts'
import { Histogram, SECONDS_BUCKETS } from '../../src/metrics/histogram.ts'
import { MetricsBook } from '../../src/metrics/metrics-book.ts'
import { emptyPort } from '../../src/metrics/port-totals.ts'
import { customProcessMetrics } from '../../src/processes/custom-process-metrics.ts'
import { TaskStats } from '../../src/tasks/task-stats.ts'
import { timerMetrics } from '../../src/timers/timer-metrics.ts'
import { messageMetrics } from '../../src/worker/worker-messages.ts'
import { FACTS, fakeReport, PORTS } from './fixtures.ts'
import { parseMetrics } from './text-format.ts'

const docs = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')

test('docs/metrics.md lists every metric of the page with its type and labels, and no other', async () => {
  const book = new MetricsBook(PORTS)
  book.record(0, fakeReport(100, 1))
  book.record('task 0', { ...fakeReport(101, 0), ports: [] })
  const tasks = new TaskStats()
  tasks.of('Resize')
  book.record('queue', { ...fakeReport(102, 0), ports: [], duty: { metrics: tasks.metrics(new Map(), 0), status: undefined } })
  const timer = {
    name: 'Tick',
    when: '',
    state: 'waiting',
    runs: 1,
    skipped: 0,
    errors: 0,
    lastRunAt: 0,
    nextRunAt: 0,
    seconds: new Histogram().report(),
  } as const
  const place = { role: 'process', index: 0, name: 'work' } as const
  const others = [
    ...timerMetrics([timer]),
    ...customProcessMetrics(place, { messages: 1, errors: 0 }),
    ...messageMetrics(0, 0),
    ...busMetrics({ role: 'worker', index: 0 }, { dropped: 0, pressure: { waits: 0 } }),
    ...lifecycleMetrics(new Map()),
  ]
  book.record('process work 0', { ...fakeReport(103, 0), ports: [], duty: { metrics: others, status: undefined } })
  const exported = new Map<string, string>()
  for (const [name, { type, samples }] of parseMetrics(await book.render(FACTS))) {
    const labels = new Set([...samples.keys()].flatMap((series) => [...series.matchAll(/[{,]([a-z_]+)=/g)].map((match) => String(match[1]))))
    exported.set(name, `${type} ${[...labels].filter((label) => label !== 'le').sort()}`)
  }

  const documented = new Map<string, string>()
  for (const [, name, type, labels] of docs.matchAll(/^\| `(polyport_\w+)` \| (\w+) \| ([^|]*) ?\|/gm)) {
    documented.set(String(name), `${type} ${[...String(labels).matchAll(/`(\w+)`/g)].map((match) => String(match[1])).sort()}`)
  }

  assert.deepEqual([...documented].sort(), [...exported].sort())
})

/** The words in code in what the page says of a metric. */
function documentedValues(name: string): string[] {
  const meaning = new RegExp(`^\\| \`${name}\` \\|[^|]*\\|[^|]*\\|(.*)\\|$`, 'm').exec(docs)?.[1] ?? ''
  return [...meaning.matchAll(/`([a-z_]+)`/g)].map((match) => String(match[1]))
}

test('docs/metrics.md lists every reason of what is refused, and each is on the page from the start', () => {
  const net = new URL('../../src/net/', import.meta.url).pathname
  const source = readdirSync(net).map((file) => readFileSync(join(net, file), 'utf8'))
  const inSource = source.flatMap((text) =>
    [...text.matchAll(/\b(?:refused?|onFailure: .*#refuse)\((?:client, proxy, )?'(\w+)'/g)].map((match) => String(match[1])),
  )
  const faults = source.flatMap((text) => [...text.matchAll(/\{ status: (\d+), reason: '(\w+)' \}/g)].map(([, status, reason]) => `${status} ${reason}`))
  const { refused, requestsRefused = {} } = emptyPort({ name: 'web', protocol: 'http' })

  assert.ok(inSource.length > 4 && faults.length > 8)
  assert.deepEqual(
    documentedValues('polyport_connections_refused_total')
      .filter((word) => word in refused)
      .sort(),
    Object.keys(refused).sort(),
  )
  for (const reason of inSource) assert.ok(reason in refused, `connections are refused as ${reason}`)
  // A page of another site is refused as a connection.
  for (const fault of faults) assert.ok(fault in requestsRefused || fault === '403 origin', `requests are refused as ${fault}`)
  const documented = documentedValues('polyport_requests_refused_total')
  assert.deepEqual([...new Set(documented)].sort(), [...new Set(Object.keys(requestsRefused).map((key) => key.split(' ')[1]))].sort())
  assert.deepEqual(documentedValues('polyport_tasks_refused_total').sort(), Object.keys(new TaskStats().refused).sort())
})

test('docs/metrics.md lists the bounds of the histograms', () => {
  const bounds = SECONDS_BUCKETS.map(String)
  assert.ok(docs.includes(`are ${bounds.slice(0, -1).join(', ')} and ${bounds.at(-1)} seconds`))
})
