import { nearest } from '../config/nearest.ts'

/** What a user's module exports, looked at and put in words: for messages about what cannot be used. */

/** Strict, as a method of the user's own may well begin with "on". */
export function meantBy(name: string, callbacks: readonly string[]): string | undefined {
  const plain = name.replaceAll('_', '').toLowerCase()
  return callbacks.find((callback) => callback.toLowerCase() === plain) ?? nearest(name, callbacks, name.length < 8 ? 1 : 2)
}

/** The names of what a class and its instance define; not those of Object. */
export function membersOf(value: object): Set<string> {
  const names = new Set<string>()
  for (let owner: unknown = value; typeof owner === 'object' && owner !== null && owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    for (const name of Object.getOwnPropertyNames(owner)) names.add(name)
  }
  return names
}

export function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

export function nameOf(value: { readonly name: unknown }): string {
  return typeof value.name === 'string' && value.name !== '' && value.name !== 'default' ? value.name : 'the class'
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? 'an object' : typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
}
