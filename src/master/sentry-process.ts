import { createLog } from '../log/log.ts'
import { endLeftovers, isRunning } from './leftovers.ts'
import type { SentryTask } from './sentry.ts'

// What the sentry becomes when the master has died.
const { store, master, name, log: options }: SentryTask = JSON.parse(process.argv[2] ?? '')
const log = createLog({ ...options, name, role: 'sentry' })
if (!isRunning(master)) await endLeftovers(store, log, { master })
