import type { Protocol } from '../../src/config/schema.ts'
import { PortCounters } from '../../src/metrics/port-counters.ts'
import type { MasterFacts } from '../../src/metrics/process-metrics.ts'
import type { WorkerReport } from '../../src/metrics/worker-report.ts'

export const PORTS: readonly { readonly name: string; readonly protocol: Protocol }[] = [
  { name: 'line', protocol: 'tcp' },
  { name: 'web', protocol: 'http' },
]

export const FACTS: MasterFacts = {
  version: '0.1.0',
  appVersion: 'a "b" \\ c',
  startedAt: 1_700_000_000,
  workers: [
    { slot: 0, up: true, restarts: 0 },
    { slot: 1, up: true, restarts: 0 },
  ],
  staff: [{ process: 'task 0', up: true, restarts: 1 }],
  droppedLogLines: 0,
  missingWorkers: 0,
  certificates: [{ port: 'line', certificate: 'default', expiresAt: Date.now() + 86_400_000 }],
  isSettled: true,
  reloads: { done: 2, failed: 1, seconds: 0.5 },
  tables: [{ name: 'ws', rows: 3, size: 100 }],
  users: 2,
  groups: 1,
}

/** A worker that has received this many messages on each port, and as many requests. */
export function fakeReport(pid: number, messages: number, custom: readonly unknown[] = []): WorkerReport {
  const ports = PORTS.map((port) => {
    const counters = new PortCounters()
    counters.connections = 2
    counters.accepted = messages
    counters.messagesIn = messages
    counters.bytesIn = 10 * messages
    counters.close('client')
    for (let i = 0; i < messages; i++) counters.request('GET', 200)
    // No round numbers: their sums would not depend on the order.
    for (let i = 0; i < messages; i++) counters.handler.observeMs(0.1 * (i + 1) - (pid % 97) / 3e7)
    for (let i = 0; i < messages; i++) counters.requestDuration.observeMs(0.3 * (i + 1))
    return counters.report(port)
  })
  return { pid, memory: { rss: 1000 + pid, heapUsed: 100 }, cpu: { user: 0.1, system: 0.2 }, loopLag: { mean: 0.001, max: 0.01 }, ports, custom }
}
