import { HOOK_NAMES, type RequestHooks } from '../http/hooks.ts'
import { kindOf, meantBy } from '../modules/exported.ts'
import type { Mistake, Outcome } from '../modules/mistake.ts'

const LIST = `${HOOK_NAMES.slice(0, -1).join(', ')} or ${HOOK_NAMES.at(-1)}`

/** The hooks that a module exports, when it exports nothing else. */
export function takeHooks(exports: Readonly<Record<string, unknown>>): Outcome<RequestHooks> {
  const hooks = hooksOf(exports)
  const names = Object.keys(hooks)
  const mistakes: Mistake[] = names.flatMap((name) => mistakeOf(name, hooks[name]))
  if (names.length === 0) mistakes.push({ message: `the module exports nothing, expected any of ${LIST}` })
  return mistakes.length > 0 ? { mistakes } : { value: hooks as RequestHooks }
}

/** What a CommonJS module exports is its default export, and some of it has names, too. */
function hooksOf(exports: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { default: inner, 'module.exports': _, ...named } = exports
  if (Object.keys(named).length === 0 && typeof inner === 'object' && inner !== null) return inner as Record<string, unknown>
  const isCommonJs =
    typeof inner === 'object' && inner !== null && Object.entries(named).every(([name, value]) => (inner as Record<string, unknown>)[name] === value)
  return inner === undefined || isCommonJs ? named : { ...named, default: inner }
}

function mistakeOf(name: string, value: unknown): Mistake[] {
  if ((HOOK_NAMES as readonly string[]).includes(name)) {
    return typeof value === 'function' ? [] : [{ message: `${name} is ${kindOf(value)}, expected a function` }]
  }
  const meant = meantBy(name, HOOK_NAMES)
  return [{ message: meant === undefined ? `nothing calls ${name}, expected ${LIST}` : `nothing calls ${name}, did you mean ${meant}?` }]
}
