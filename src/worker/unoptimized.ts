import { setFlagsFromString } from 'node:v8'

const COMPILERS = ['opt', 'maglev']

/**
 * Runs what loads parts of the program without V8's optimizing compilers. To load some two hundred modules is to take a few thousand paths apart, enough for V8
 * to find that hot; it gains nothing any more, and the compilers' own code is 10 MiB of an idle process. Not for user code: that may compute.
 */
export async function unoptimized<T>(run: () => T | Promise<T>): Promise<T> {
  if (!mayTurnOff()) return run()
  for (const compiler of COMPILERS) setFlagsFromString(`--no-${compiler}`)
  try {
    return await run()
  } finally {
    for (const compiler of COMPILERS) setFlagsFromString(`--${compiler}`)
  }
}

/** Whoever has said something of the compilers has it so: V8 may crash where one is turned on that was not there from the beginning. */
function mayTurnOff(): boolean {
  const { v8_enable_maglev: hasMaglev } = process.config.variables as { v8_enable_maglev?: number }
  if (hasMaglev !== 1) return false
  return ![...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((options) => /--(no[-_]?)?(opt|turbofan|maglev|jitless|lite[-_]mode)\b/.test(options))
}
