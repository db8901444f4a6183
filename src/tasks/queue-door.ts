import type { Member, Post } from '../ipc/post.ts'

/** The way from a process to the queue, which may be another one after a crash. */
export class QueueDoor {
  readonly #post: Post
  readonly #listeners: ((queue: Member) => void)[] = []
  #owner = 0

  constructor(post: Post) {
    this.#post = post
    post.onMembers(() => this.#look())
  }

  get queue(): Member | undefined {
    return this.#post.at({ role: 'queue', index: 0 })
  }

  /** Called with the queue that is there, and with every further one. */
  onQueue(listener: (queue: Member) => void): void {
    this.#listeners.push(listener)
    const { queue } = this
    if (queue === undefined) return
    this.#owner = queue.owner
    listener(queue)
  }

  /** @returns false when there is no queue now */
  send(topic: string, body: unknown): boolean {
    const { queue } = this
    return queue !== undefined && this.#post.send(queue, topic, body)
  }

  #look(): void {
    const { queue } = this
    if (queue === undefined || queue.owner === this.#owner) return
    this.#owner = queue.owner
    for (const listener of this.#listeners) listener(queue)
  }
}
