import { createRequire } from 'node:module'

/** prom-client, loaded at the first call: it is large, and most processes never need it. Handlers that import it get the same copy. */
export function promClient(): typeof import('prom-client') {
  return createRequire(import.meta.url)('prom-client')
}
