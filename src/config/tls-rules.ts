import type { SecureContextOptions } from 'node:tls'
import { certificatesOf, readCertificate, readPem } from './certificate.ts'
import type { Shape } from './check-shape.ts'
import type { Finding, Path } from './finding.ts'
import { at } from './issue-text.ts'
import type { ParsedCertificate, ParsedTls } from './tls-schema.ts'

/** The certificates of a port, each with its place in the config. */
function entriesOf(tls: ParsedTls, path: Path): { path: Path; name: string; entry: ParsedCertificate }[] {
  const named = Object.entries(tls.sni).map(([name, entry]) => ({ path: [...path, 'sni', name], name: name.toLowerCase(), entry }))
  return [{ path, name: 'default', entry: tls }, ...named]
}

export function certificatesAreGood({ ports }: Shape, dir: string): Finding[] {
  return ports.flatMap(({ path, value: { tls } }) => {
    if (tls === undefined) return []
    return entriesOf(tls, [...path, 'tls']).flatMap(({ path: place, name, entry }) => {
      const outcome = readCertificate(entry, { name, dir })
      if ('problems' in outcome) return outcome.problems.map(({ key, message }) => ({ path: [...place, key], message }))
      return unusable(outcome.value, [...place, 'cert'])
    })
  })
}

/** What only OpenSSL knows: a key that is too short for its level of security, say. */
function unusable({ cert, key, passphrase }: { cert: string; key: string; passphrase?: string }, path: Path): Finding[] {
  try {
    tryContext({ cert, key, ...(passphrase !== undefined && { passphrase }) })
    return []
  } catch (error) {
    return [{ path, message: `OpenSSL refuses this certificate or its key: ${reasonOf(error)}` }]
  }
}

export function authoritiesAreGood({ ports }: Shape, dir: string): Finding[] {
  return ports.flatMap(({ path, value: { tls } }) => {
    if (tls?.ca === undefined) return []
    const place = [...path, 'tls', 'ca']
    const pem = readPem(tls.ca, dir)
    if ('problem' in pem) return [{ path: place, message: pem.problem }]
    const from = pem.file === undefined ? '' : ` in ${pem.file}`
    try {
      const all = certificatesOf(pem.text)
      if (all.length === 0) return [{ path: place, message: `${pem.file ?? 'the text'} holds no PEM certificate, expected "-----BEGIN CERTIFICATE-----"` }]
      const last = Math.max(...all.map(({ validToDate }) => validToDate.getTime()))
      if (last > Date.now()) return []
      return [{ path: place, message: `every certificate${from} has expired, the last on ${new Date(last).toISOString()}` }]
    } catch {
      return [{ path: place, message: `a certificate${from} is damaged: OpenSSL cannot read it` }]
    }
  })
}

export function clientCertificatesAreAskedFor({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, given, value: { tls } }) => {
    if (tls === undefined) return []
    const place = [...path, 'tls']
    if (tls.requestCert && tls.ca === undefined && tls.rejectUnauthorized !== false) {
      return [
        { path: [...place, 'requestCert'], message: 'it is not said whose certificates are good, expected "ca" beside it, or "rejectUnauthorized": false' },
      ]
    }
    if (tls.requestCert) return []
    const idle = ['ca', 'rejectUnauthorized'].filter((key) => at(given, ['tls', key]) !== undefined)
    return idle.map((key) => ({ path: [...place, key], message: 'only for certificates of clients, expected "requestCert": true beside it', isKey: true }))
  })
}

export function ciphersAreKnown({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value: { tls } }) => {
    if (tls?.ciphers === undefined) return []
    try {
      tryContext({ ciphers: tls.ciphers, minVersion: tls.minVersion })
      return []
    } catch {
      return [{ path: [...path, 'tls', 'ciphers'], message: 'OpenSSL knows no cipher of this list, expected one as "openssl ciphers" takes it' }]
    }
  })
}

export function protocolsInsideFit({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value: { tls, http2, protocol } }) => {
    const findings: Finding[] = []
    if (http2 && protocol === 'http' && tls === undefined) {
      findings.push({ path: [...path, 'http2'], message: 'HTTP/2 is spoken over TLS only, expected "tls" beside it' })
    }
    if (tls?.alpn !== undefined && (protocol === 'http' || protocol === 'websocket')) {
      const message = `only for tcp and stream ports, and this one is ${protocol}: it offers http/1.1${protocol === 'http' ? ', and h2 with "http2": true' : ''}`
      findings.push({ path: [...path, 'tls', 'alpn'], message, isKey: true })
    }
    return findings
  })
}

/** node:tls is loaded on demand: it takes 30 ms and megabytes. @throws what OpenSSL has against it */
function tryContext(options: SecureContextOptions): void {
  process.getBuiltinModule('node:tls').createSecureContext(options)
}

/** OpenSSL's words without its numbers: "error:0A00018F:SSL routines::ee key too small". */
function reasonOf(error: unknown): string {
  const { message } = error as Error
  return message.split(':').at(-1)?.trim() ?? message
}

export const tlsRules: readonly ((shape: Shape, dir: string) => Finding[])[] = [
  certificatesAreGood,
  authoritiesAreGood,
  clientCertificatesAreAskedFor,
  ciphersAreKnown,
  protocolsInsideFit,
]
