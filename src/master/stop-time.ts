/** What the last process has for `onDaemonStop` behind the longest stop of the others, in seconds. */
export const LAST_SECONDS = 5

// What a stop may take beyond `maxWaitSeconds`: the last process, the one that holds the tasks, and closing. The files in deploy/ allow for it.
const GRACE_SECONDS = 10
// The queue writes what it has been told; that is on disk within the second.
const LEAST_QUEUE_SECONDS = 2
// Until a process that has to be killed is gone, and all is closed.
const END_SECONDS = 2

/** How long a stop may take at most, in seconds. */
export function longestStopSeconds({ maxWaitSeconds }: { readonly maxWaitSeconds: number }): number {
  return maxWaitSeconds + GRACE_SECONDS
}

/** What of that is left to the process that holds the tasks, as it ends behind all others. @param spent seconds since the stop began */
export function queueSeconds({ maxWaitSeconds }: { readonly maxWaitSeconds: number }, spent: number): number {
  return Math.min(maxWaitSeconds, Math.max(LEAST_QUEUE_SECONDS, longestStopSeconds({ maxWaitSeconds }) - spent - END_SECONDS))
}
