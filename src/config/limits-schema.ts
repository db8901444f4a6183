import { z } from 'zod'

const MIB = 1024 * 1024

const seconds = z.number().min(0.1).max(86400)

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
    upgradeSeconds: seconds.default(10).describe('websocket: how long `onUpgrade` may take; then the client gets 503.'),
    headerSeconds: seconds
      .default(10)
      .describe('http, websocket: how long the head of a request may take, from the first byte or, on a new connection, from its start; then 408.'),
    requestSeconds: seconds.default(60).describe('http, websocket: how long a request may take to come in, its body included; then 408.'),
    keepAliveSeconds: seconds
      .default(65)
      .describe('http, websocket: how long a connection is kept between two requests. Longer than what a proxy in front keeps it.'),
    headerBytes: z
      .int()
      .min(1024)
      .max(MIB)
      .default(16 * 1024)
      .describe('http, websocket: the longest head of a request, in bytes; 414 when the request line alone is longer, otherwise 431.'),
    headerFields: z.int().min(8).max(2000).default(128).describe('http, websocket: the largest number of header fields; then 431.'),
    bodyBytes: z
      .int()
      .min(0)
      .max(1024 * 1024 * MIB)
      .default(4 * MIB)
      .describe('http: the longest body of a request, in bytes; then 413. It is counted as it comes, and never held here.'),
  })
  .prefault({})
  .describe('What one port takes before it refuses or cuts off.')

export type LimitsConfig = z.output<typeof limits>
