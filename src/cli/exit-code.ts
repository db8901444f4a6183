import { AlreadyRunningError, BindError, ConfigError, NotRunningError, StartError } from '../errors.ts'

/** What the command line ends with, as service managers expect it. */
export const EXIT = { done: 0, failed: 1, usage: 2, notRunning: 3 } as const

/** What a verb could not do, in a sentence that is all its user needs. Exit code 1. */
export class VerbError extends Error {}

const EXPECTED = [BindError, StartError, AlreadyRunningError, VerbError]

/** Prints what went wrong and returns the exit code for it. What is expected gets its sentence, the rest its stack. */
export function report(error: unknown): number {
  if (error instanceof ConfigError) return say(error.message, EXIT.usage)
  if (error instanceof NotRunningError) return say(error.message, EXIT.notRunning)
  if (EXPECTED.some((type) => error instanceof type)) return say((error as Error).message, EXIT.failed)
  // A folder that may not be written, a disk that is full: the message names the call and the path.
  if (isSystemError(error)) return say(`Cannot go on: ${error.message}`, EXIT.failed)
  return say(error instanceof Error ? (error.stack ?? error.message) : String(error), EXIT.failed)
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

/** One line on stderr, and the exit code that goes with it. */
export function say(sentence: string, code: number): number {
  process.stderr.write(`${sentence}\n`)
  return code
}
