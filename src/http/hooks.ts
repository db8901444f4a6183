import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestStep } from '../net/http-requests.ts'
import { isPromise } from '../net/is-promise.ts'
import type { Port } from '../net/port.ts'
import { beforeHead } from './before-head.ts'

/** What a module of `ports[].hooks` may export. */
export interface RequestHooks {
  readonly onRequestReceived?: (request: IncomingMessage) => unknown
  readonly onResponseGenerated?: (request: IncomingMessage, response: ServerResponse) => unknown
  readonly onRequestFinished?: (request: IncomingMessage, response: ServerResponse) => unknown
}

export const HOOK_NAMES = ['onRequestReceived', 'onResponseGenerated', 'onRequestFinished'] as const

type HookName = (typeof HOOK_NAMES)[number]
type Hook = (request: IncomingMessage, response: ServerResponse) => unknown

/** Runs the hooks of an http port around each of its requests. What one throws is reported, and ends nothing else. */
export function hookStep(port: Port, modules: readonly RequestHooks[]): RequestStep {
  const received = hooksOf(modules, 'onRequestReceived')
  const generated = hooksOf(modules, 'onResponseGenerated')
  const finished = hooksOf(modules, 'onRequestFinished')

  return (request, response, next) => {
    if (generated.length > 0) beforeHead(response, () => callAll(port, 'onResponseGenerated', generated, request, response))
    if (finished.length > 0) response.once('close', () => void callInTurn(port, 'onRequestFinished', finished, request, response))
    if (received.length === 0) next()
    else void callInTurn(port, 'onRequestReceived', received, request, response).then(next)
  }
}

function hooksOf(modules: readonly RequestHooks[], name: HookName): Hook[] {
  return modules.flatMap((module) => module[name] ?? [])
}

/** The head leaves when this returns: a promise is reported when it rejects, and not waited for. */
function callAll(port: Port, name: HookName, hooks: readonly Hook[], request: IncomingMessage, response: ServerResponse): void {
  for (const hook of hooks) {
    try {
      const result = hook(request, response)
      if (isPromise(result)) void port.settle(result, name)
    } catch (error) {
      port.failed(error, name)
    }
  }
}

async function callInTurn(port: Port, name: HookName, hooks: readonly Hook[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const hook of hooks) {
    try {
      const result = hook(request, response)
      if (isPromise(result)) await port.settle(result, name)
    } catch (error) {
      port.failed(error, name)
    }
  }
}
