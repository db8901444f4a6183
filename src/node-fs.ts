/**
 * `node:fs` without an import, for what a worker loads: an ES module that imports it reads all of its exports, and that has Node load `fs.promises` with readline
 * and all else that they need, 1 MiB of every process.
 */
const fs: typeof import('node:fs') = process.getBuiltinModule('node:fs')

export const {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  createReadStream,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} = fs
