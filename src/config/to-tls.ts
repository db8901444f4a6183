import { ConfigError } from '../errors.ts'
import { readCertificate, readPem } from './certificate.ts'
import type { ParsedCertificate, ParsedTls, TlsConfig } from './tls-schema.ts'

/**
 * A port's `tls` with every file read, for workers: they may start again when a file is gone, or may not read it.
 * @param isHttp the port speaks HTTP inside
 * @throws ConfigError when a file has changed since the rules have looked at it
 */
export function toTls(tls: ParsedTls, options: { dir: string; file: string; port: string; isHttp: boolean; http2: boolean }): TlsConfig {
  const { dir, isHttp, http2 } = options
  const { requestCert, minVersion, ciphers, handshakeSeconds } = tls
  const read = (name: string, entry: ParsedCertificate): TlsConfig['certificates'][number] => {
    const outcome = readCertificate(entry, { name, dir })
    if ('value' in outcome) return outcome.value
    throw new ConfigError(outcome.problems.map(({ key, message }) => ({ file: options.file, path: `port "${options.port}" tls.${key}`, message })))
  }
  const ca = tls.ca === undefined ? undefined : readPem(tls.ca, dir)
  return {
    certificates: [read('default', tls), ...Object.entries(tls.sni).map(([name, entry]) => read(name.toLowerCase(), entry))],
    ...(ca !== undefined && 'text' in ca && { ca: ca.text }),
    requestCert,
    rejectUnauthorized: requestCert && tls.rejectUnauthorized !== false,
    minVersion,
    ...(ciphers !== undefined && { ciphers }),
    alpn: isHttp ? (http2 ? ['h2', 'http/1.1'] : ['http/1.1']) : (tls.alpn ?? []),
    handshakeSeconds,
  }
}
