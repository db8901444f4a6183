import { createRequire } from 'node:module'
import { withLate } from '../modules/late-builtin.ts'

/** pino, without what it needs for threads that write: the log writes by itself. */
const loaded = withLate(['assert'], () => createRequire(import.meta.url)('pino') as typeof import('pino'))

export const pino: typeof loaded.pino = loaded.pino
