/**
 * Waits for something of the user's that may never come.
 * @returns undefined when it has not come after `ms` milliseconds, or when nothing is left in this process that could bring it
 */
export async function inTime<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  let giveUp = (): void => {}
  const late = new Promise<undefined>((resolve) => {
    giveUp = () => resolve(undefined)
    timer = setTimeout(giveUp, ms).unref()
    // The loop is empty: whoever was to resolve it has gone.
    process.once('beforeExit', giveUp)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    process.off('beforeExit', giveUp)
  }
}
