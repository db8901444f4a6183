/** Whether what a callback has returned is to be waited for. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return value !== undefined && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
