import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'

// Certificates of 90 days are usually renewed 30 days before their end: at 14 something has not worked.
const WARN_MS = 14 * 86_400_000

export interface CertificateFacts {
  readonly port: string
  /** `default`, or the server name that it is for. */
  readonly certificate: string
  /** In milliseconds since 1970. */
  readonly expiresAt: number
}

/** Every certificate that the ports of a config show. */
export function certificatesOf({ ports }: Config): CertificateFacts[] {
  return ports.flatMap(({ name, tls }) => (tls?.certificates ?? []).map(({ name: certificate, expiresAt }) => ({ port: name, certificate, expiresAt })))
}

/** Says which certificates are to be renewed soon. */
export function warnOfExpiry(config: Config, log: Logger): void {
  for (const { port, certificate, expiresAt } of certificatesOf(config)) {
    const days = Math.floor((expiresAt - Date.now()) / 86_400_000)
    if (expiresAt - Date.now() > WARN_MS) continue
    log.warn({ port, certificate, expiresAt: new Date(expiresAt).toISOString(), days }, 'A certificate expires soon: renew it, and reload')
  }
}

/** A config for processes that serve no port: the keys are none of their business. */
export function withoutKeys(config: Config): Config {
  return { ...config, ports: config.ports.map(({ tls: _, ...port }) => port) }
}
