import { z } from 'zod'

const MIB = 1024 * 1024

/** `ports[].limits`. Which protocol a key is for is in `rules.ts`. */
export const limits = z
  .strictObject({
    maxConnections: z
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe('Connections that this port holds over all workers; more are refused with reason `max_connections`. Unlimited when absent.'),
    maxConnectionsPerIp: z
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe('The same for the connections of one address (IPv6: of one /64 network), with reason `max_connections_per_ip`. Unlimited when absent.'),
    connectionsPerSecondPerIp: z
      .number()
      .min(0.01)
      .max(1_000_000)
      .optional()
      .describe('New connections of one address (IPv6: of one /64 network) in a second; more are refused with reason `rate`. Unlimited when absent.'),
    messagesPerSecond: z
      .number()
      .min(0.01)
      .max(1_000_000)
      .optional()
      .describe('tcp and websocket: messages of one connection in a second. One that sends more is read more slowly. Unlimited when absent.'),
    maxLagMs: z
      .int()
      .min(10)
      .max(60_000)
      .optional()
      .describe(
        "How far a worker's event loop may lag, in milliseconds: over half of it HTTP connections are not kept alive, over all of it new connections are refused with reason `rate`. Unlimited when absent.",
      ),
    sendBuffer: z
      .int()
      .min(1024)
      .max(1024 * MIB)
      .default(8 * MIB)
      .describe('Bytes that may wait to be sent to one connection.'),
    onOverflow: z
      .enum(['close', 'drop'])
      .default('close')
      .describe('What happens to a connection whose send buffer is full: it is closed with reason `overflow`, or the message is dropped.'),
    maxPayload: z
      .int()
      .min(1)
      .max(1024 * MIB)
      .default(MIB)
      .describe('websocket: the longest message, in bytes.'),
    maxFragments: z.int().min(1).max(MIB).default(1024).describe('websocket: the largest number of fragments of one message.'),
  })
  .prefault({})
  .describe('What one port takes before it refuses or cuts off.')

export type LimitsConfig = z.output<typeof limits>
