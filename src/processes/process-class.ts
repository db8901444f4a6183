import { CUSTOM_PROCESS, type CustomProcess } from '../contracts/custom-process.ts'
import { constructorMistake } from '../modules/constructor-mistake.ts'
import { isClass, kindOf, meantBy, membersOf, nameOf } from '../modules/exported.ts'
import { failed, type Mistake, type Outcome } from '../modules/mistake.ts'

const METHODS = ['run', 'onMessage', 'onReload', 'onStop']

/** Makes a custom process of a module's default export, when that is a class which keeps the contract. */
export function makeProcess(exports: Readonly<Record<string, unknown>>): Outcome<CustomProcess> {
  const { default: value } = exports
  const refusal = refuse(value, exports)
  if (refusal !== undefined) return failed({ message: refusal })
  let made: object
  try {
    made = new (value as new () => object)()
  } catch (error) {
    return failed(constructorMistake(error, ` of ${nameOf(value as { name: unknown })}`))
  }
  const mistakes = wrongMethods(made)
  return mistakes.length > 0 ? { mistakes } : { value: made as CustomProcess }
}

function refuse(value: unknown, exports: Readonly<Record<string, unknown>>): string | undefined {
  const expected = 'a class that extends CustomProcess'
  if (value === undefined) {
    const name = Object.keys(exports).find((key) => isClass(exports[key]))
    return `there is no default export, expected ${expected}${name === undefined ? '' : `: write "export default class ${name}"`}`
  }
  if (!isClass(value)) return `the default export is ${kindOf(value)}, expected ${expected}`
  const type = value as { readonly name: unknown; readonly [CUSTOM_PROCESS]?: unknown }
  return type[CUSTOM_PROCESS] === true ? undefined : `${nameOf(type)} does not extend CustomProcess, expected ${expected}`
}

function wrongMethods(made: object): Mistake[] {
  const members = membersOf(made)
  const misspelt = [...members].flatMap((name) => {
    const meant = METHODS.includes(name) || name === 'constructor' ? undefined : /^_?on/i.test(name) ? meantBy(name, METHODS) : undefined
    return meant === undefined || members.has(meant) ? [] : [{ message: `nothing calls ${name}, did you mean ${meant}?` }]
  })
  const wrong = METHODS.flatMap((name) => {
    const value = (made as Record<string, unknown>)[name]
    return !members.has(name) || typeof value === 'function' ? [] : [{ message: `${name} is ${kindOf(value)}, expected a method` }]
  })
  const missing = members.has('run') ? [] : [{ message: 'there is no run, which every CustomProcess must have' }]
  return [...misspelt, ...wrong, ...missing]
}
