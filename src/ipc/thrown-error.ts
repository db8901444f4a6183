import { valueText } from '../value-text.ts'

/** An error on its way to another process. */
export interface ThrownError {
  readonly name: string
  readonly message: string
  readonly stack?: string | undefined
  readonly code?: string | undefined
}

/** Whatever was thrown: who waits for it is told, also where an error has no text, or members that cannot travel. */
export function plainError(error: unknown): ThrownError {
  try {
    if (!(error instanceof Error)) return { name: 'Error', message: textOf(error) }
    const { code, stack } = error as { readonly code?: unknown; readonly stack?: unknown }
    return { name: textOf(error.name), message: textOf(error.message), stack: stringOf(stack), code: stringOf(code) }
  } catch {
    return { name: 'Error', message: 'an error that cannot be read' }
  }
}

/** An error of another process, as close to what it was as can be. */
export function thrownThere({ name, message, stack, code }: ThrownError): Error {
  const error = new Error(message)
  error.name = name
  if (stack !== undefined) error.stack = stack
  return code === undefined ? error : Object.assign(error, { code })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : valueText(value)
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
