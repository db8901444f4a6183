const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const

// npm and its like pass on what they are sent. A terminal or a supervisor that signals the whole process group has sent it to the daemon
// already, so what was meant once comes twice; nobody presses Ctrl-C twice within this time.
const PASSED_ON_MS = 500

/** The first signal stops in good order, the next does not wait for that. */
export function onStopSignals(stop: () => void, abort: () => void): void {
  const isRunByNpm = Boolean(process.env['npm_lifecycle_event'])
  let firstAt: number | undefined
  const onSignal = (): void => {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      stop()
      return
    }
    if (isRunByNpm && now - firstAt < PASSED_ON_MS) return
    abort()
  }
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal)
}
