/** `node:util` without an import, for what a worker loads. @see node-fs.ts */
const util: typeof import('node:util') = process.getBuiltinModule('node:util')

export const { getSystemErrorMessage, getSystemErrorName, inspect, types } = util
