import { createRequire } from 'node:module'
import { withLate } from '../modules/late-module.ts'

/**
 * LMDB as one CommonJS file. As an ES module it is a dozen, which have Node make ES modules of all that they import of it: 25 ms and 2 MiB more for
 * every process. And without its encoder of objects, as our databases hold bytes.
 */
const lmdb = withLate(['msgpackr'], () => createRequire(import.meta.url)('lmdb') as typeof import('lmdb'))

export const open: typeof lmdb.open = lmdb.open
