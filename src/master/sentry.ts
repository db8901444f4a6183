import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'

const PROGRAM = fileURLToPath(new URL('./sentry-process.js', import.meta.url))
// Who is not in an endless loop ends by itself in less; not every `sleep` knows fractions.
const GRACE = 'sleep 0.5 || sleep 1'
// In the background, so that it is no child of the master: nobody takes it for a worker. Not stdin: Node closes that one when the shell before it ends.
const SCRIPT = `(trap '' HUP INT QUIT TERM; read -r word; [ "$word" = dismissed ] && exit; ${GRACE}; exec "$@") <&3 3<&- &`

/** What the shell tells the program that it becomes (sentry-process.ts). */
export interface SentryTask {
  readonly store: string
  readonly master: number
  readonly name: string
  readonly log: Config['log']
}

/**
 * Outlives a master that is killed, and then ends its processes that do not end by themselves. It waits as a shell, whose 0.2 MiB is all that it
 * costs; a thread in each process that watches for the master would be 7 MiB a process. Where there is no /bin/sh the next start ends them.
 */
export class Sentry {
  /** Says when the master has died: nobody else has this end. */
  readonly #line: Socket

  /** @param store the folder of the shared memory @param parts `log`: the master's */
  constructor(store: string, { config, log }: { config: Config; log: Logger }) {
    const told: SentryTask = { store, master: process.pid, name: config.name, log: config.log }
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'polyport: sentry', process.execPath, PROGRAM, JSON.stringify(told)], {
      argv0: 'polyport: sentry',
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
      detached: true,
    })
    shell.once('error', (error) => log.info({ err: error }, 'No sentry: after a kill of the master the next start ends what is left'))
    shell.unref()
    this.#line = socketOf(shell)
    this.#line.on('error', () => {})
    this.#line.unref()
  }

  dismiss(): void {
    this.#line.end('dismissed\n')
  }
}

function socketOf(shell: ChildProcess): Socket {
  const line = shell.stdio[3]
  if (line instanceof Socket) return line
  throw new TypeError('Cannot talk to the sentry: Node gave its shell no pipe')
}
