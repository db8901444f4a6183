import { z } from 'zod'

// For both: of responses, and of WebSocket messages.
const common = {
  threshold: z
    .int()
    .min(0)
    .max(1024 * 1024 * 1024)
    .default(1024)
    .describe('What is shorter, in bytes, is sent as it is.'),
  level: z.int().min(1).max(9).default(6).describe('How hard gzip, and deflate on WebSockets, try.'),
}

const httpOnly = {
  quality: z.int().min(0).max(11).default(4).describe('http: how hard brotli tries.'),
}

const windowBits = z.int().min(9).max(15)

const webSocketOnly = {
  memLevel: z.int().min(1).max(9).default(8).describe('websocket: how much memory deflate takes while it works.'),
  serverNoContextTakeover: z
    .boolean()
    .default(true)
    .describe('websocket: tell clients that each of our messages is compressed by itself, so that they need not remember those before. It is so in any case.'),
  clientNoContextTakeover: z
    .boolean()
    .default(false)
    .describe(
      'websocket: ask clients to compress each message by itself. Otherwise each connection keeps what has come before, 44 KiB, and cannot move to another worker in a reload.',
    ),
  serverMaxWindowBits: windowBits.optional().describe('websocket: how far back our messages may refer at most, as a power of two.'),
  clientMaxWindowBits: windowBits.optional().describe('websocket: the same for clients; those that cannot be told get no compression.'),
}

const webSocketSettings = z.strictObject({ ...common, ...webSocketOnly })
const settings = z.strictObject({ ...common, ...httpOnly, ...webSocketOnly })

/** Which protocol a key is for is in `rules.ts`. */
export const compression = z
  .union([z.boolean(), settings])
  .describe('http: compress responses by what the client accepts. websocket: permessage-deflate with clients that offer it. `true`, or how; off when absent.')

export const webSocketCompression = z
  .union([z.boolean(), webSocketSettings])
  .describe('permessage-deflate with clients that offer it: `true`, or how; off when absent.')

export const HTTP_COMPRESSION = Object.keys(httpOnly)
export const WEBSOCKET_COMPRESSION = Object.keys(webSocketOnly)

export type CompressionConfig = z.output<typeof settings>
export type DeflateConfig = z.output<typeof webSocketSettings>

/** What `true` stands for; undefined when nothing is to be compressed. */
export function compressionOf(value: z.output<typeof compression> | undefined): CompressionConfig | undefined {
  if (value === undefined || value === false) return undefined
  return value === true ? settings.parse({}) : value
}

/** The same for WebSocket messages. */
export function deflateOf(value: z.output<typeof compression | typeof webSocketCompression> | undefined): DeflateConfig | undefined {
  if (value === undefined || value === false) return undefined
  return value === true ? webSocketSettings.parse({}) : value
}
