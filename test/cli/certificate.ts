import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Self-signed for 127.0.0.1, made for these tests and good for nothing else. */
export const CERTIFICATE_FILE: string = fileURLToPath(new URL('fixtures/loopback-cert.pem', import.meta.url))

export function certificate(): { cert: string; key: string } {
  return { cert: readFileSync(CERTIFICATE_FILE, 'utf8'), key: readFileSync(new URL('fixtures/loopback-key.pem', import.meta.url), 'utf8') }
}
