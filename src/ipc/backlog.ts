import type { Post } from './post.ts'

// A process that leaves this much lying takes no more: what waits for it is in the memory of who sends.
const MAX_BACKLOG_BYTES = 64 * 1024 * 1024

/** Whether so much waits for a process already that it is to get no more of what users send. */
export function isBackedUp(post: Post, to: { readonly owner: number }): boolean {
  return post.backlog(to) > MAX_BACKLOG_BYTES
}
