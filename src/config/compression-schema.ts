import { z } from 'zod'

const settings = z.strictObject({
  threshold: z
    .int()
    .min(0)
    .max(1024 * 1024 * 1024)
    .default(1024)
    .describe('What is shorter, in bytes, is sent as it is.'),
  level: z.int().min(1).max(9).default(6).describe('http: how hard gzip tries.'),
  quality: z.int().min(0).max(11).default(4).describe('http: how hard brotli tries.'),
})

export const compression = z.union([z.boolean(), settings]).describe('http: compress responses by what the client accepts; `true`, or how.')

export type CompressionConfig = z.output<typeof settings>

/** What `true` stands for; undefined when nothing is to be compressed. */
export function compressionOf(value: z.output<typeof compression> | undefined): CompressionConfig | undefined {
  if (value === undefined || value === false) return undefined
  return value === true ? settings.parse({}) : value
}
