import { createRequire } from 'node:module'
import { escapeLines, escapeText } from './control-bytes.ts'

/** Turns a line of JSON into what a person reads. Loads pino-pretty: call it only when somebody watches. */
export function prettyFormat(options: { readonly colorize: boolean }): (line: string) => string {
  const { prettyFactory }: typeof import('pino-pretty') = createRequire(import.meta.url)('pino-pretty')
  const pretty = prettyFactory({
    colorize: options.colorize,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,name,role,worker',
    messageFormat: (record, messageKey) => `${who(record)}: ${record[messageKey] ?? ''}`,
    singleLine: true,
  })
  return (line) => pretty(JSON.parse(line, escapeValue)) ?? line
}

function who(record: Readonly<Record<string, unknown>>): string {
  return record['worker'] === undefined ? String(record['role'] ?? record['name']) : `worker ${String(record['worker'])}`
}

function escapeValue(this: unknown, key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  return key === 'stack' ? escapeLines(value) : escapeText(value)
}
