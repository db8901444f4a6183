import { thrown } from './import-mistake.ts'
import type { Mistake } from './mistake.ts'

/** What a constructor throws. @param of whose it is, behind "the constructor" */
export function constructorMistake(error: unknown, of: string): Mistake {
  const { message, ...place } = thrown(error)
  const isTooEarly = error instanceof TypeError && / of undefined\b/.test(message)
  const hint = isTooEarly ? '; this.daemon, this.options, this.log and the like are not there yet when it runs' : ''
  return { ...place, message: `the constructor${of} throws: ${message}${hint}` }
}
