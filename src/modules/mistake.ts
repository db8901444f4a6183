/** What is wrong with a module that the config names, before it is known which port it is for. */
export interface Mistake {
  readonly message: string
  /** Where it is another file than the module itself, such as one that it imports. */
  readonly file?: string
  /** Where it is the config that is wrong: the place in it. */
  readonly path?: string
  readonly line?: number
  readonly column?: number
}

/** Either what was asked for, or why there is none. */
export type Outcome<T> = { readonly value: T } | { readonly mistakes: readonly Mistake[] }

export function failed(...mistakes: Mistake[]): { readonly mistakes: readonly Mistake[] } {
  return { mistakes }
}
