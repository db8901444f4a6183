/** A time in milliseconds that all processes of this machine agree on, and nobody sets: CLOCK_MONOTONIC. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
