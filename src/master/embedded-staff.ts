import type { Config } from '../config/schema.ts'
import type { Daemon } from '../contracts/daemon.ts'
import { ConfigError } from '../errors.ts'
import type { Duty } from '../ipc/duty.ts'
import type { LocalPost } from '../ipc/local-post.ts'
import type { Place } from '../ipc/messages.ts'
import { placeText } from '../ipc/place.ts'
import { DUTIES } from '../worker/duties.ts'
import type { WorkerView } from './overview.ts'
import { staffPlaces } from './staff-places.ts'

// The worker is 1.
const FIRST_OWNER = 2

/** What `createDaemon` has besides its worker: every duty of the config, in the caller's process. */
export class EmbeddedStaff {
  readonly #duties: { readonly name: string; readonly place: Place; readonly duty: Duty }[] = []
  readonly #startedAt = Date.now()

  /** @throws ConfigError */
  static async load(parts: { config: Config; daemon: Daemon; post: LocalPost }): Promise<EmbeddedStaff> {
    const staff = new EmbeddedStaff()
    try {
      await staff.#load(parts)
    } catch (error) {
      await staff.stop(0)
      await staff.stopQueue(0)
      throw error
    }
    return staff
  }

  async #load({ config, daemon, post }: { config: Config; daemon: Daemon; post: LocalPost }): Promise<void> {
    for (const [number, place] of staffPlaces(config).entries()) {
      const create = DUTIES[place.role]
      if (create === undefined) throw new RangeError(`There is no duty for role "${place.role}"`)
      const log = daemon.log.child({ role: placeText(place) })
      const duty = await create({ config, place, daemon, post: post.join(place, FIRST_OWNER + number), log, kill: () => {} })
      this.#duties.push({ name: placeText(place), place, duty })
      const problems = await duty.load()
      if (problems.length > 0) throw new ConfigError(problems)
    }
  }

  async start(): Promise<void> {
    for (const { duty } of this.#duties) await duty.start()
  }

  /** All but what holds the tasks: the others may still need it. */
  async stop(maxWaitSeconds: number): Promise<void> {
    await Promise.all(this.#duties.filter(({ place }) => place.role !== 'queue').map(({ duty }) => duty.stop(maxWaitSeconds)))
  }

  async stopQueue(maxWaitSeconds: number): Promise<void> {
    await Promise.all(this.#duties.filter(({ place }) => place.role === 'queue').map(({ duty }) => duty.stop(maxWaitSeconds)))
  }

  /** Asks what holds the tasks. @throws Error when there is nothing */
  async askQueue(question: unknown): Promise<unknown> {
    const queue = this.#duties.find(({ duty }) => duty.ask !== undefined)
    if (queue?.duty.ask === undefined) throw new Error('The config has neither tasks nor events')
    return queue.duty.ask(question)
  }

  get views(): WorkerView[] {
    return this.#duties.map(({ name, place, duty }) => ({
      index: place.index,
      name,
      place,
      pid: process.pid,
      state: 'ready',
      startedAt: this.#startedAt,
      restarts: 0,
      status: duty.report().status,
    }))
  }

  /** What all of them have counted. */
  get report(): { metrics: ReturnType<Duty['report']>['metrics']; status: unknown } {
    return { metrics: this.#duties.flatMap(({ duty }) => duty.report().metrics), status: undefined }
  }
}
