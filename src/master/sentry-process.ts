import { endLeftovers, isRunning } from './leftovers.ts'

// What the sentry becomes when the master has died.
const [, , store = '', pid] = process.argv
const master = Number(pid)
if (!isRunning(master)) await endLeftovers(store, (fields, message) => console.error(`polyport: ${message} ${JSON.stringify(fields)}`), { master })
