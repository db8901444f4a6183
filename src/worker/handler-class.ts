import { makeApp } from '../apps/make-app.ts'
import { recognise } from '../apps/recognise.ts'
import type { Protocol } from '../config/schema.ts'
import type { Framing } from '../contracts/framing.ts'
import { HANDLER_PROTOCOL, type Handler } from '../contracts/handlers.ts'
import { constructorMistake } from '../modules/constructor-mistake.ts'
import { isClass, kindOf, meantBy, membersOf, nameOf } from '../modules/exported.ts'
import { failed, type Mistake, type Outcome } from '../modules/mistake.ts'
import { baseOf, CONTRACTS, foreignCallback } from './handler-contract.ts'

type Constructor = (new () => object) & { readonly name: unknown }

/**
 * Makes a handler of a module's default export: a class which keeps the contract of the protocol, or on an http port also an app.
 * @param options what a function that makes an app is called with
 */
export async function makeHandler(exports: Readonly<Record<string, unknown>>, port: { protocol: Protocol; options: unknown }): Promise<Outcome<Handler>> {
  const { protocol } = port
  const app = protocol === 'http' ? await makeApp(exports['default'], port.options) : foreignApp(exports['default'], protocol)
  return app ?? makeClassHandler(exports, protocol)
}

function foreignApp(value: unknown, protocol: Protocol): Outcome<Handler> | undefined {
  const app = recognise(value)
  if (app === undefined) return undefined
  const { base } = CONTRACTS[protocol]
  return failed({
    message: `the default export is ${app.title}, which serves an http port, and the protocol is ${protocol}: expected a class that extends ${base}`,
  })
}

function makeClassHandler(exports: Readonly<Record<string, unknown>>, protocol: Protocol): Outcome<Handler> {
  const made = construct(exports, expectedOf(protocol), (value) => wrongClass(value, protocol))
  if ('mistakes' in made) return made
  const mistakes = wrongCallbacks(made.value, protocol)
  return mistakes.length > 0 ? { mistakes } : { value: made.value as Handler }
}

/** Makes the framing of a module's default export. */
export function makeFraming(exports: Readonly<Record<string, unknown>>): Outcome<Framing> {
  const expected = 'a class with a method frameLength'
  const made = construct(exports, expected, (value) => (isClass(value) ? undefined : `the default export is a function, expected ${expected}`))
  if ('mistakes' in made) return made
  const framing = made.value as Readonly<Record<string, unknown>>
  const mistakes = ['frameLength', 'decode', 'encode'].flatMap((name) => {
    const value = framing[name]
    if (typeof value === 'function' || (value === undefined && name !== 'frameLength')) return []
    return [{ message: value === undefined ? 'there is no frameLength, which every framing must have' : `${name} is ${kindOf(value)}, expected a method` }]
  })
  return mistakes.length > 0 ? { mistakes } : { value: made.value as Framing }
}

/**
 * Makes an object of a module's default export.
 * @param expected what the default export should be, for messages
 * @param refuse says why a class cannot be used
 */
function construct(exports: Readonly<Record<string, unknown>>, expected: string, refuse: (value: Constructor) => string | undefined): Outcome<object> {
  const { default: value } = exports
  if (value === undefined) return failed({ message: `there is no default export, expected ${expected}${namedExport(exports)}` })
  if (typeof value !== 'function') return failed({ message: `the default export is ${kindOf(value)}, expected ${expected}` })
  const refusal = refuse(value as Constructor)
  if (refusal !== undefined) return failed({ message: refusal })
  try {
    return { value: new (value as Constructor)() }
  } catch (error) {
    return failed(constructorMistake(error, ` of ${nameOf(value)}`))
  }
}

function expectedOf(protocol: Protocol): string {
  return `a class that extends ${CONTRACTS[protocol].base}${protocol === 'http' ? ', or an app' : ''}`
}

function wrongClass(value: Constructor, protocol: Protocol): string | undefined {
  const found = (value as { [HANDLER_PROTOCOL]?: unknown })[HANDLER_PROTOCOL]
  if (found === protocol) return undefined
  const { base } = CONTRACTS[protocol]
  const other = baseOf(found)
  if (other !== undefined) return `${nameOf(value)} extends ${other}, expected a class that extends ${base} as the protocol is ${protocol}`
  if (!isClass(value)) return `the default export is a function, expected a class that extends ${base}`
  const parent = (Object.getPrototypeOf(value) as { name?: string }).name
  return `${nameOf(value)} extends ${parent ? `${parent}, which is no handler class` : 'no class'}, expected a class that extends ${base}`
}

function wrongCallbacks(handler: object, protocol: Protocol): Mistake[] {
  const { base, callbacks, required } = CONTRACTS[protocol]
  const members = membersOf(handler)
  const misspelt = [...members].flatMap((name) => {
    const meant = callbacks.includes(name) || !/^_?on/i.test(name) ? undefined : meantBy(name, callbacks)
    return meant === undefined || members.has(meant) ? [] : [{ name, meant }]
  })
  const mistakes: Mistake[] = misspelt.map(({ name, meant }) => ({ message: `nothing calls ${name}, did you mean ${meant}?` }))
  for (const name of callbacks) {
    const value = (handler as Record<string, unknown>)[name]
    if (members.has(name) && typeof value !== 'function') mistakes.push({ message: `${name} is ${kindOf(value)}, expected a method` })
  }
  const isMissing = !members.has(required) && !misspelt.some(({ meant }) => meant === required)
  if (isMissing) mistakes.push({ message: `there is no ${required}, which every ${base} must have${requiredElsewhere(members, protocol)}` })
  for (const name of members) {
    const foreign = foreignCallback(name, protocol)
    if (foreign === undefined || misspelt.some((found) => found.name === name) || (isMissing && foreign.meant === required)) continue
    const meant = foreign.meant === undefined || members.has(foreign.meant) ? '' : `, did you mean ${foreign.meant}?`
    mistakes.push({ message: `nothing calls ${name} of a ${base}${meant}` })
  }
  return mistakes
}

function requiredElsewhere(members: ReadonlySet<string>, protocol: Protocol): string {
  for (const { base, required } of Object.values(CONTRACTS)) {
    if (members.has(required)) return `: ${required} belongs to ${base}, and the protocol is ${protocol}`
  }
  return ''
}

function namedExport(exports: Readonly<Record<string, unknown>>): string {
  const name = Object.keys(exports).find((key) => isClass(exports[key]))
  if (name !== undefined) return `: write "export default class ${name}"`
  const app = Object.keys(exports).find((key) => recognise(exports[key]) !== undefined)
  return app === undefined ? '' : `: write "export default ${app}"`
}
