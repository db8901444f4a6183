import { setTimeout as sleep } from 'node:timers/promises'
import { StartError } from '../errors.ts'
import { placeText } from '../ipc/place.ts'
import type { WorkerChild } from './worker-child.ts'

/** Waits for a step of several processes. @throws what `step` does, or StartError when it takes longer than `startSeconds` */
export async function inTime(what: string, children: readonly WorkerChild[], step: (child: WorkerChild) => Promise<void>): Promise<void> {
  const limit = new AbortController()
  const waiting = new Set(children)
  const startSeconds = children[0]?.config.startSeconds ?? 0
  const late = sleep(startSeconds * 1000, undefined, { signal: limit.signal }).then(
    () => {
      const names = Array.from(waiting, ({ place }) => (place.role === 'worker' ? 'A worker' : placeText(place)))
      throw new StartError(`${names[0]} did not ${what} within ${startSeconds} s: make onStart and imports faster, or raise startSeconds`)
    },
    () => {},
  )
  const taken = async (child: WorkerChild): Promise<void> => {
    await step(child)
    waiting.delete(child)
  }
  try {
    await Promise.race([Promise.all(children.map(taken)), late])
  } finally {
    limit.abort()
  }
}
