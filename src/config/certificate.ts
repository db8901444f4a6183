import type { KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CertificateConfig, ParsedCertificate } from './tls-schema.ts'

/** What is wrong with one of the keys of a certificate's entry. Never says what a key file holds. */
export interface CertificateProblem {
  readonly key: 'cert' | 'key' | 'passphrase'
  readonly message: string
}

export type CertificateOutcome = { readonly value: CertificateConfig } | { readonly problems: readonly CertificateProblem[] }

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const PRIVATE_KEY = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----[^-]*(?:-[^-]+)*-----END \1-----/
const ENCRYPTED = /BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/

/** The text of a PEM file, or the text itself where that is given. */
export function readPem(value: string, dir: string): { readonly text: string; readonly file?: string } | { readonly problem: string } {
  if (value.includes('-----BEGIN ')) return { text: value }
  // A key without its first line must not show up in a message as the name of a file.
  if (/^[A-Za-z0-9+/=\s]{100,}$/.test(value)) return { problem: 'this is neither the path of a file nor PEM text, expected "-----BEGIN …" around it' }
  const file = resolve(dir, value)
  try {
    // As latin1 every byte is a character: a binary file is told by what it lacks.
    return { text: readFileSync(file, 'latin1'), file }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return { problem: `there is no file ${file}` }
    if (code === 'EISDIR') return { problem: `${file} is a folder, expected a PEM file` }
    if (code === 'EACCES' || code === 'EPERM') return { problem: `this user may not read ${file}` }
    return { problem: `${file} cannot be read${code === undefined ? '' : ` (${code})`}` }
  }
}

/** The certificates of a PEM text. @throws what OpenSSL says of one that is broken */
export function certificatesOf(text: string): X509Certificate[] {
  const { X509Certificate } = nodeCrypto()
  return Array.from(text.matchAll(CERTIFICATES), ([pem]) => new X509Certificate(pem))
}

/**
 * Reads a certificate and its key, and holds them against each other and against the clock.
 * @param name `default`, or the server name that it must be good for
 */
export function readCertificate(entry: ParsedCertificate, options: { name: string; dir: string }): CertificateOutcome {
  const { name, dir } = options
  const cert = readPem(entry.cert, dir)
  const key = readPem(entry.key, dir)
  const problems: CertificateProblem[] = []
  if ('problem' in cert) problems.push({ key: 'cert', message: cert.problem })
  if ('problem' in key) problems.push({ key: 'key', message: key.problem })
  const found = 'problem' in cert ? undefined : parseCertificate(cert, problems)
  const opened = 'problem' in key ? undefined : parseKey(key, entry.passphrase, problems)
  if ('problem' in cert || 'problem' in key || found === undefined || opened === undefined) return { problems }
  if (!found.checkPrivateKey(opened.object)) {
    problems.push({
      key: 'key',
      message: `the key${within(key.file)} does not belong to the certificate${within(cert.file)}, expected the one that it was made with`,
    })
  }
  problems.push(...outOfDate(found, cert.file), ...notFor(found, name, cert.file))
  if (problems.length > 0) return { problems }
  return {
    value: {
      name,
      cert: cert.text,
      key: opened.pem,
      ...(entry.passphrase !== undefined && { passphrase: entry.passphrase }),
      ...(cert.file !== undefined && { file: cert.file }),
      expiresAt: found.validToDate.getTime(),
    },
  }
}

interface Pem {
  readonly text: string
  readonly file?: string
}

function parseCertificate({ text, file }: Pem, problems: CertificateProblem[]): X509Certificate | undefined {
  try {
    const [first] = certificatesOf(text)
    if (first !== undefined) return first
    const found = PRIVATE_KEY.test(text) ? 'a private key' : 'no PEM certificate'
    problems.push({ key: 'cert', message: `${file ?? 'the text'} holds ${found}, expected "-----BEGIN CERTIFICATE-----"` })
  } catch {
    problems.push({ key: 'cert', message: `a certificate${within(file)} is damaged: OpenSSL cannot read it` })
  }
  return undefined
}

function parseKey({ text, file }: Pem, passphrase: string | undefined, problems: CertificateProblem[]): { pem: string; object: KeyObject } | undefined {
  const pem = PRIVATE_KEY.exec(text)?.[0]
  if (pem === undefined) {
    problems.push({ key: 'key', message: `${file ?? 'the text'} holds no PEM private key, expected "-----BEGIN PRIVATE KEY-----"` })
    return undefined
  }
  const isEncrypted = ENCRYPTED.test(pem)
  if (isEncrypted && passphrase === undefined) {
    problems.push({ key: 'key', message: `the key${within(file)} is encrypted, expected "passphrase" beside it` })
    return undefined
  }
  try {
    return { pem, object: nodeCrypto().createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) }) }
  } catch {
    // What OpenSSL says is not repeated: it helps nobody here, and the matter is a secret.
    if (isEncrypted) problems.push({ key: 'passphrase', message: `this passphrase does not open the key${within(file)}` })
    else problems.push({ key: 'key', message: `the key${within(file)} is damaged: OpenSSL cannot read it` })
    return undefined
  }
}

function outOfDate(certificate: X509Certificate, file: string | undefined): CertificateProblem[] {
  const now = Date.now()
  const { validFromDate: from, validToDate: to } = certificate
  if (to.getTime() <= now) return [{ key: 'cert', message: `the certificate${within(file)} has expired: it was good until ${to.toISOString()}` }]
  if (from.getTime() > now) return [{ key: 'cert', message: `the certificate${within(file)} is not yet valid: it is good from ${from.toISOString()} on` }]
  return []
}

function notFor(certificate: X509Certificate, name: string, file: string | undefined): CertificateProblem[] {
  if (name === 'default') return []
  // A wildcard stands for one label (RFC 9525 section 6.3): any will do to find out.
  const host = name.startsWith('*.') ? `any${name.slice(1)}` : name
  // Browsers look at the alternative names only.
  if (certificate.checkHost(host, { subject: 'never' }) !== undefined) return []
  return [{ key: 'cert', message: `the certificate${within(file)} is not for ${name}, but for ${certificate.subjectAltName ?? 'no name at all'}` }]
}

/** Loaded on demand: most configs have no certificate, and every start reads one. */
function nodeCrypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto')
}

function within(file: string | undefined): string {
  return file === undefined ? '' : ` in ${file}`
}
