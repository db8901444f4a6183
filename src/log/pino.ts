import { createRequire } from 'node:module'
import { withLate } from '../modules/late-module.ts'

/** pino, without `assert`, which only its own ways to write need: the log writes by itself. Handlers that import it get the same copy. */
const loaded = withLate(['assert'], () => createRequire(import.meta.url)('pino') as typeof import('pino'))

export const pino: typeof loaded.pino = loaded.pino
