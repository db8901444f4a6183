import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A certificate with its key, both PEM. */
export interface TestCertificate {
  readonly cert: string
  readonly key: string
  readonly name: string
}

export interface CertificateOptions {
  /** The common name. */
  readonly name: string
  /** DNS names and IPv4 addresses; `name` when absent. */
  readonly names?: readonly string[]
  /** Who signs; itself when absent. */
  readonly issuer?: TestCertificate
  readonly isAuthority?: boolean
  /** Days from now. */
  readonly from?: number
  readonly to?: number
  readonly key?: string
  /** RSA with so many bits instead of P-256. */
  readonly rsaBits?: number
  /** Encrypts the key. */
  readonly passphrase?: string
}

const DAY_MS = 86_400_000
let lastSerial = Date.now()

/** Makes an X.509 certificate (RFC 5280), which Node cannot. */
export function makeCertificate(options: CertificateOptions): TestCertificate {
  const { name, names = [name], issuer, isAuthority = false, from = -1, to = 365 } = options
  const pair =
    options.rsaBits === undefined ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: options.rsaBits })
  const { privateKey, publicKey } = pair
  const signer = issuer === undefined ? privateKey : createPrivateKey(issuer.key)
  const algorithm = signer.asymmetricKeyType === 'rsa' ? sequence(oid('1.2.840.113549.1.1.11'), NULL) : sequence(oid('1.2.840.10045.4.3.2'))
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(++lastSerial),
    algorithm,
    distinguishedName(issuer?.name ?? name),
    sequence(time(Date.now() + from * DAY_MS), time(Date.now() + to * DAY_MS)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(alternativeNames(names), basicConstraints(isAuthority))),
  )
  const der = sequence(body, algorithm, bits(sign('sha256', body, signer)))
  return { name, cert: pem('CERTIFICATE', der), key: privateText(privateKey, options.passphrase) }
}

function privateText(key: KeyObject, passphrase: string | undefined): string {
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }
  return key.export({ type: 'pkcs8', format: 'pem', ...cipher }).toString()
}

function alternativeNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    /^\d+(\.\d+){3}$/.test(name) ? tagged(0x87, Buffer.from(name.split('.').map(Number))) : tagged(0x82, Buffer.from(name, 'latin1')),
  )
  return sequence(oid('2.5.29.17'), tagged(0x04, sequence(...entries)))
}

function basicConstraints(isAuthority: boolean): Buffer {
  return sequence(oid('2.5.29.19'), TRUE, tagged(0x04, isAuthority ? sequence(TRUE) : sequence()))
}

function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(name)))))
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  // UTCTime until 2049 (RFC 5280 section 4.1.2.5).
  return digits < '2050' ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits))
}

function integer(value: number): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return tagged(0x02, (bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), bytes]) : bytes)
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  return value < 128 ? [value] : [...base128(Math.floor(value / 128)).map((digit) => digit | 128), value % 128]
}

function bits(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.of(0), bytes]))
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts))
}

/** DER (X.690): tag, length, content. */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

function pem(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
}

const NULL = Buffer.of(0x05, 0)
const TRUE = Buffer.of(0x01, 1, 0xff)
