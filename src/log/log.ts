import { isatty } from 'node:tty'
import type { LoggerOptions } from 'pino'
import type { Logger } from '../contracts/logger.ts'
import { closeSync, openSync } from '../node-fs.ts'
import { escapeLines } from './control-bytes.ts'
import { LineWriter } from './line-writer.ts'
import { pino } from './pino.ts'
import { plainFields, REDACTED, SECRETS } from './plain-fields.ts'
import { prettyFormat } from './pretty.ts'

export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** `auto`: pretty on a terminal, JSON elsewhere. */
  readonly format: 'auto' | 'json' | 'pretty'
  /** Of the daemon. */
  readonly name: string
  /** `master`, or `worker 0` for the worker in slot 0. */
  readonly role: string
  /** In every line. */
  readonly fields?: Readonly<Record<string, unknown>>
}

const STDOUT = 1
// Others have no business in it.
const LOG_MODE = 0o640
// One for the process: the rest of a line that was cut has to leave before any other line does.
let stdout: LineWriter | undefined

/**
 * The log of a process: one line on stdout for each thing, written before the call returns, in this process: a thread
 * would lose the last lines when the process ends.
 */
export function createLog(options: LogOptions): Logger {
  const writer = stdoutWriter()
  const format = isPretty(options.format) ? prettyFormat({ colorize: isatty(STDOUT) }) : escapeLines
  const destination = {
    write(line: string): void {
      writer.write(format(line))
      const lost = writer.takeLost()
      if (lost > 0) log.warn({ lost }, 'Log lines were lost as stdout did not take them')
    },
  }
  const log = pino(pinoOptions(options), destination)
  // pino asks its formatter for the fields of lines alone.
  const { child } = log
  log.child = function plainChild(this: typeof log, fields, ...rest) {
    return child.call(this, plainFields(fields), ...rest)
  } as typeof child
  return log
}

/** Log lines that this process could not write. */
export function droppedLogLines(): number {
  return stdout?.dropped ?? 0
}

function pinoOptions({ level, name, role, fields }: LogOptions): LoggerOptions {
  const slot = /^worker (\d+)$/.exec(role)?.[1]
  return {
    level,
    base: { pid: process.pid, name, ...(slot === undefined ? { role } : { worker: Number(slot) }), ...fields },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: plainFields },
    // There an error has become data already.
    serializers: { err: (err) => err },
    redact: { paths: SECRET_PATHS, censor: REDACTED },
  }
}

// As fields of a line, and in objects of two levels such as a request's headers.
const SECRET_PATHS: string[] = ['', '*', '*.*'].flatMap((path) => SECRETS.map((key) => `${path}["${key}"]`))

function isPretty(format: LogOptions['format']): boolean {
  return format === 'pretty' || (format === 'auto' && isatty(STDOUT))
}

/** Where a daemon in the background logs: set by `start -d`, and inherited by all of its processes. */
export const LOG_FILE_VARIABLE = 'POLYPORT_LOG_FILE'

/** Opens the log file of a daemon in the background anew: it has been moved away (logrotate). Nothing happens when it logs to stdout. */
export function reopenLog(): void {
  const file = process.env[LOG_FILE_VARIABLE]
  if (file === undefined || stdout === undefined) return
  const fd = openedFile(file)
  if (fd === undefined) return
  const old = stdout.redirect(fd)
  // Where the file could not be opened at first, it was stdout: whatever is opened next would get its number, and what users' code prints.
  if (old !== STDOUT) closeSync(old)
}

/** Whoever reads stdout or stderr may go, and a disk may be full: what cannot be printed any more ends no process. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

function openedFile(file: string): number | undefined {
  try {
    return openSync(file, 'a', LOG_MODE)
  } catch {
    // Its folder is gone, or may not be written to any more: what is open already is better than nothing.
    return undefined
  }
}

function stdoutWriter(): LineWriter {
  if (stdout === undefined) {
    const file = process.env[LOG_FILE_VARIABLE]
    const writer = new LineWriter(file === undefined ? STDOUT : (openedFile(file) ?? STDOUT))
    process.once('exit', () => writer.flush())
    stdout = writer
  }
  return stdout
}
