import { valueText } from '../value-text.ts'

/** As whom a client is let in. */
export interface Accepted {
  readonly uid?: string
  readonly groups?: readonly string[]
  readonly data?: Record<string, unknown>
  readonly protocol?: string
}

/** What a client is told that is not. */
export interface Denied {
  readonly status: number
  readonly body?: string
}

const DENIED: Denied = { status: 403 }
const KEYS = ['uid', 'groups', 'data', 'protocol']
const EXPECTED = 'expected nothing, true, false, { status, body }, or { uid, groups, data, protocol }'

/**
 * What `onUpgrade` has answered, looked at before anything comes of it: a uid is often what a client says it is, and there are
 * some that nobody can have.
 * @param checkNames throws for a uid or group that nobody can have
 * @throws TypeError or RangeError that names what cannot be used
 */
export function checkUpgradeAnswer(answer: unknown, checkNames: (uid: string | undefined, groups: readonly string[]) => void): Accepted | Denied {
  if (answer === undefined || answer === true) return {}
  if (answer === false) return DENIED
  // Null is what many look-ups return for nobody: it lets nobody in.
  if (typeof answer !== 'object' || answer === null) throw new TypeError(`onUpgrade returned ${valueText(answer)}, ${EXPECTED}`)
  if ('status' in answer) return checkDenied(answer as Denied)
  // A refusal with a misspelt status must not let anybody in, nor a misspelt uid as nobody.
  for (const key in answer) if (!KEYS.includes(key)) throw new TypeError(`onUpgrade returned an object with "${key}", ${EXPECTED}`)
  const { uid, groups, data, protocol } = answer as Accepted
  if (groups !== undefined && !Array.isArray(groups)) throw new TypeError(`onUpgrade returned ${valueText(groups)} for groups, expected a list of names`)
  checkNames(uid, groups ?? [])
  if (data !== undefined && (typeof data !== 'object' || data === null))
    throw new TypeError(`onUpgrade returned ${valueText(data)} for data, expected an object`)
  if (protocol !== undefined && typeof protocol !== 'string') throw new TypeError(`onUpgrade returned ${valueText(protocol)} for protocol, expected its name`)
  return answer
}

function checkDenied({ status, body }: Denied): Denied {
  // RFC 9110 section 15.2: a status below 200 is no answer yet.
  if (!(Number.isInteger(status) && status >= 200 && status <= 599)) throw new RangeError(`onUpgrade returned status ${valueText(status)}, expected 200 to 599`)
  if (body !== undefined && typeof body !== 'string') throw new TypeError(`onUpgrade returned ${valueText(body)} for body, expected a string`)
  return { status, ...(body !== undefined && { body }) }
}
