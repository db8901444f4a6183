import type { Shape } from './check-shape.ts'
import type { Finding } from './finding.ts'
import { at } from './issue-text.ts'

/** The limits of what speaks HTTP. */
export const HTTP_LIMITS = ['headerSeconds', 'requestSeconds', 'keepAliveSeconds', 'headerBytes', 'headerFields', 'bodyBytes'] as const

export function requestTakesAsLongAsItsHead({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, given, value: { limits } }) => {
    const { headerSeconds, requestSeconds } = limits
    if (headerSeconds <= requestSeconds) return []
    const key = at(given, ['limits', 'requestSeconds']) === undefined ? 'headerSeconds' : 'requestSeconds'
    return [
      {
        path: [...path, 'limits', key],
        message: `a request of ${requestSeconds} s would end before its head of ${headerSeconds} s, expected requestSeconds to be longer`,
      },
    ]
  })
}

/** The WebSocket path of an http port has its own limits, but for what is HTTP still. */
export function webSocketPathHasNoHttpLimits({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, given }) =>
    HTTP_LIMITS.flatMap((key) => {
      const place = ['websocket', 'limits', key]
      if (at(given, place) === undefined) return []
      return [{ path: [...path, ...place], message: 'set it in the limits of the port: what asks for a WebSocket is an HTTP request', isKey: true }]
    }),
  )
}

export function originsNeedAWebSocket({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value: { protocol, origins, websocket } }) => {
    if (origins === undefined || protocol === 'websocket' || (protocol === 'http' && websocket !== undefined)) return []
    return [{ path: [...path, 'origins'], message: `only for websocket ports and http ports with "websocket", and this one is ${protocol}`, isKey: true }]
  })
}

export const limitsRules = [originsNeedAWebSocket, requestTakesAsLongAsItsHead, webSocketPathHasNoHttpLimits]
