import assert from 'node:assert/strict'
import { test } from 'node:test'
import { portStatuses } from '../../src/admin/status.ts'
import { PortCounters } from '../../src/metrics/port-counters.ts'

test('portStatuses() shows every port of the config with its totals, refusals of all reasons as one', () => {
  const counters = new PortCounters()
  Object.assign(counters, { connections: 2, accepted: 9, messagesIn: 5, messagesOut: 4, bytesIn: 50, bytesOut: 40, errors: 1 })
  counters.refuse('max_connections')
  counters.refuse('denied')
  counters.refuse('denied')

  const statuses = portStatuses(
    [
      { name: 'line', protocol: 'tcp', address: '127.0.0.1:5291' },
      { name: 'dgram', protocol: 'udp', address: '127.0.0.1:5292' },
    ],
    [counters.report({ name: 'line', protocol: 'tcp' })],
  )

  assert.deepEqual(statuses, [
    {
      name: 'line',
      protocol: 'tcp',
      address: '127.0.0.1:5291',
      connections: 2,
      accepted: 9,
      refused: 3,
      messagesIn: 5,
      messagesOut: 4,
      bytesIn: 50,
      bytesOut: 40,
      errors: 1,
    },
    {
      name: 'dgram',
      protocol: 'udp',
      address: '127.0.0.1:5292',
      connections: 0,
      accepted: 0,
      refused: 0,
      messagesIn: 0,
      messagesOut: 0,
      bytesIn: 0,
      bytesOut: 0,
      errors: 0,
    },
  ])
})
