// Far more than end while connections move: what one of these has sent may still have to be told apart.
const MAX_GONE = 1000

/** Forgets of the processes that one has met those that have been gone for the longest: a daemon that replaces its workers meets new ones for ever. */
export function forgetLongGone(met: { readonly size: number; keys(): Iterable<number>; delete(owner: number): boolean }, living: ReadonlySet<number>): void {
  if (met.size <= MAX_GONE + living.size) return
  // Processes are numbered as they begin.
  const gone = Array.from(met.keys())
    .filter((owner) => !living.has(owner))
    .sort((a, b) => a - b)
  for (const owner of gone.slice(0, -MAX_GONE)) met.delete(owner)
}
