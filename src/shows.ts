import type { InspectOptions } from 'node:util'
import { inspect } from './node-util.ts'

/**
 * Lets the objects of a class show these members, and no others, in `console.log`, in JSON and so in a log line: what else is in them is the
 * daemon's own, and may be large or secret. Called in the class's static block.
 */
export function shows<T extends object>(type: { readonly prototype: T }, name: string, members: readonly (keyof T & string)[]): void {
  function shown(this: T): object {
    return Object.fromEntries(members.map((member) => [member, this[member]]))
  }
  function inspected(this: T, depth: number, options: InspectOptions): string {
    return depth < 0 ? `[${name}]` : `${name} ${inspect(shown.call(this), { ...options, depth })}`
  }
  Object.defineProperty(type.prototype, 'toJSON', { value: shown })
  Object.defineProperty(type.prototype, inspect.custom, { value: inspected })
}
