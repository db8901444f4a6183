import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LostConnections } from '../../src/metrics/lost-connections.ts'
import type { PortReport } from '../../src/metrics/port-counters.ts'
import { emptyPort } from '../../src/metrics/port-totals.ts'

function line(accepted: number, closed: number, connections: number): PortReport {
  const empty = emptyPort({ name: 'line', protocol: 'tcp' })
  return { ...empty, accepted, connections, closed: { ...empty.closed, client: closed, error: 1 } }
}

test('LostConnections.addTo() counts what was accepted and is neither open nor closed as ended by error', () => {
  const lost = new LostConnections()
  assert.equal(lost.addTo(line(10, 3, 6)).closed['error'], 1)

  lost.settle([line(10, 3, 4)])

  assert.equal(lost.addTo(line(10, 3, 4)).closed['error'], 3)
  assert.equal(lost.addTo({ ...line(10, 3, 4), name: 'other' }).closed['error'], 1)
})

test('LostConnections.settle() never takes back what it has counted', () => {
  const lost = new LostConnections()
  lost.settle([line(10, 3, 4)])
  lost.settle([line(10, 3, 6)])

  assert.equal(lost.addTo(line(10, 3, 6)).closed['error'], 3)
})
