import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { valueText } from '../value-text.ts'
import { pino } from './pino.ts'

/** What no line shows. */
export const SECRETS: readonly string[] = ['authorization', 'cookie', 'set-cookie', 'token']
export const REDACTED = '[redacted]'
// As deep as secrets are looked for, and one level more: pino copies what it looks into with its class and without what that needs, so that
// bytes, a URL, and whatever else has more than plain members would throw.
const MAX_DEPTH = 4

/** The fields of a log line as data that can be copied: bytes as a short text, errors with their stack, the rest as in JSON. */
export function plainFields(fields: object): Record<string, unknown> {
  const plain = plainValue(fields, 0)
  // `log.info(buffer)`.
  return typeof plain === 'object' && plain !== null ? (plain as Record<string, unknown>) : { value: plain }
}

function plainValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value
  try {
    if (ArrayBuffer.isView(value)) return valueText(value)
    if (value instanceof Error) return members(pino.stdSerializers.err(value), depth)
    const ofNode = nodeObject(value)
    if (ofNode !== undefined) return members(ofNode, depth)
    if ('toJSON' in value && typeof value.toJSON === 'function') return plainValue(value.toJSON(), depth + 1)
    return Array.isArray(value) ? value.map((entry) => plainValue(entry, depth + 1)) : members(value, depth)
  } catch {
    // A getter that throws, say: a line with less in it is better than none, and than an error in who logs.
    return valueText(value)
  }
}

/** What people want to see of Node's large objects, which lead to one another and to headers that are not redacted. */
function nodeObject(value: object): object | undefined {
  if ('rawHeaders' in value && 'headers' in value) return withoutSecrets(pino.stdSerializers.req(value as IncomingMessage))
  if ('getHeaders' in value && 'statusCode' in value) return withoutSecrets(pino.stdSerializers.res(value as ServerResponse))
  if ('remoteAddress' in value && 'destroySoon' in value) return { remoteAddress: value.remoteAddress, remotePort: (value as Socket).remotePort }
  return undefined
}

/** Wherever in the fields it is. */
function withoutSecrets(message: { readonly headers: Readonly<Record<string, unknown>> }): object {
  const headers = Object.entries(message.headers).map(([name, value]) => [name, SECRETS.includes(name.toLowerCase()) ? REDACTED : value])
  return { ...message, headers: Object.fromEntries(headers) }
}

function members(value: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainValue(member, depth + 1)]))
}
