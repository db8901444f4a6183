import { HANDLER_PROTOCOL } from '../contracts/handlers.ts'
import { isClass, kindOf } from '../modules/exported.ts'
import { thrown } from '../modules/import-mistake.ts'
import { failed, type Outcome } from '../modules/mistake.ts'
import { type AppHandler, hasMethods, type Listener } from './app-handler.ts'
import { ListenerApp } from './listener-app.ts'
import { almostAnApp, isListener, recognise } from './recognise.ts'

const EXPECTED = 'expected an app, or a function of (request, response)'

/**
 * Makes a handler of what a module exports, when that is an app, a listener, a function that makes one of them, or a promise of one.
 * @param options what a function that makes an app is called with
 * @returns undefined when it is none of these, but perhaps a handler class
 */
export async function makeApp(value: unknown, options: unknown): Promise<Outcome<AppHandler> | undefined> {
  const app = recognise(value)
  if (app !== undefined) return { value: app }
  if (hasMethods(value, 'then')) return settle(value, 'the promise that is the default export rejects')
  if (typeof value !== 'function' || isClass(value) || HANDLER_PROTOCOL in value) {
    const almost = almostAnApp(value)
    return almost === undefined ? undefined : failed({ message: `the default export is ${almost}` })
  }
  if (isListener(value)) return { value: new ListenerApp('a function of (request, response)', value) }
  return settle(() => (value as (options: unknown) => unknown)(options), `${nameOf(value)}, which makes the app, throws`)
}

async function settle(source: unknown, failure: string): Promise<Outcome<AppHandler>> {
  let made: unknown
  try {
    made = await (typeof source === 'function' ? source() : source)
  } catch (error) {
    const { message, ...place } = thrown(error)
    return failed({ ...place, message: `${failure}: ${message}` })
  }
  const app = recognise(made)
  if (app !== undefined) return { value: app }
  if (typeof made === 'function' && !isClass(made)) return { value: new ListenerApp('a function of (request, response)', made as Listener) }
  const what = almostAnApp(made) ?? `${kindOf(made)}, ${EXPECTED}`
  if (typeof source !== 'function') return failed({ message: `the promise that is the default export is of ${what}` })
  return failed({ message: `the default export is a function of less than two parameters, which is called to make the app, and it returns ${what}` })
}

function nameOf(value: { readonly name: string }): string {
  return value.name === '' || value.name === 'default' ? 'the function' : value.name
}
