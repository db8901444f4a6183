import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SECONDS_BUCKETS } from '../../src/metrics/histogram.ts'
import { MetricsBook } from '../../src/metrics/metrics-book.ts'
import { TaskStats } from '../../src/tasks/task-stats.ts'
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

test('docs/metrics.md lists the bounds of the histograms', () => {
  const bounds = SECONDS_BUCKETS.map(String)
  assert.ok(docs.includes(`are ${bounds.slice(0, -1).join(', ')} and ${bounds.at(-1)} seconds`))
})
