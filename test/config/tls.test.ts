import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadConfig, resolveConfig } from '../../src/config/load-config.ts'
import { makeCertificate } from '../certificates.ts'
import { configFolder, problemsOf } from './config-folder.ts'

const authority = makeCertificate({ name: 'Test CA', isAuthority: true })
const good = makeCertificate({ name: 'example.com', names: ['example.com', '*.example.org', '127.0.0.1'] })
const other = makeCertificate({ name: 'other.example' })
const sealed = makeCertificate({ name: 'sealed', passphrase: 'open-sesame' })

const FILES = {
  'h.ts': '',
  'good.pem': good.cert,
  'good.key': good.key,
  'both.pem': `${good.key}${good.cert}${authority.cert}`,
  'other.pem': other.cert,
  'other.key': other.key,
  'sealed.pem': sealed.cert,
  'sealed.key': sealed.key,
  'ca.pem': authority.cert,
  'old.pem': makeCertificate({ name: 'old', from: -20, to: -10 }).cert,
  'young.pem': makeCertificate({ name: 'young', from: 10, to: 20 }).cert,
  'broken.pem': '-----BEGIN CERTIFICATE-----\nMIIBRTCB\n-----END CERTIFICATE-----\n',
  'broken.key': '-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n',
  'text.pem': 'hello',
}
const TLS = { cert: './good.pem', key: './good.key' }

function folder(port: object, files: Record<string, string> = {}): string {
  const config = { ports: [{ protocol: 'tcp', port: 0, handler: './h.ts', ...port }] }
  return configFolder({ ...FILES, ...files, 'config.json': JSON.stringify(config) })
}

/** Without the position in the file. */
function problems(port: object, files: Record<string, string> = {}): string[] {
  const dir = folder(port, files)
  return problemsOf(() => loadConfig(join(dir, 'config.json')), dir).map((problem) => problem.replace(/^config\.json:\d+:\d+: ports\[0\]\./, ''))
}

describe('ports[].tls', () => {
  test('reads files relative to the config file, so that workers need not', () => {
    const { ports } = loadConfig(join(folder({ tls: { ...TLS, ca: './ca.pem', requestCert: true } }), 'config.json'))

    const { tls } = ports[0] ?? {}
    assert.equal(tls?.certificates[0]?.cert, good.cert)
    assert.equal(tls.certificates[0].key, good.key.trim())
    assert.equal(tls.ca, authority.cert)
    assert.ok(Math.abs(tls.certificates[0].expiresAt - Date.now() - 365 * 86_400_000) < 60_000)
    assert.deepEqual([tls.requestCert, tls.rejectUnauthorized, tls.minVersion, tls.alpn, tls.handshakeSeconds], [true, true, 'TLSv1.2', [], 10])
  })

  test('takes PEM text itself, from a variable too, and from a config object', () => {
    const dir = folder({ tls: { cert: '${CERT}', key: '${KEY}', passphrase: '${PASS}' } })
    const environment = { CERT: sealed.cert, KEY: sealed.key, PASS: 'open-sesame' }
    const { ports } = loadConfig(join(dir, 'config.json'), { environment })
    assert.equal(ports[0]?.tls?.certificates[0]?.cert, sealed.cert)

    const built = resolveConfig({ ports: [{ protocol: 'http', port: 0, handler: './h.ts', http2: true, tls: { cert: good.cert, key: good.key } }] })
    assert.deepEqual(built.ports[0]?.tls?.alpn, ['h2', 'http/1.1'])
  })

  test('takes a file with key, certificate and chain', () => {
    assert.deepEqual(problems({ tls: { cert: './both.pem', key: './both.pem' } }), [])
  })

  test('takes certificates by server name, in lower case', () => {
    const sni = { 'Example.com': { cert: './good.pem', key: './good.key' }, '*.example.org': { cert: './good.pem', key: './good.key' } }
    const { ports } = loadConfig(join(folder({ tls: { cert: './other.pem', key: './other.key', sni } }), 'config.json'))

    assert.deepEqual(
      ports[0]?.tls?.certificates.map(({ name }) => name),
      ['default', 'example.com', '*.example.org'],
    )
  })

  test('names file and key of a certificate that is not there', () => {
    assert.deepEqual(problems({ tls: { cert: './none.pem', key: './none.key' } }), [
      'tls.cert: there is no file none.pem',
      'tls.key: there is no file none.key',
    ])
    assert.deepEqual(problems({ tls: { cert: '.', key: './good.key' } })[0]?.includes('is a folder, expected a PEM file'), true)
  })

  test('names a certificate that has expired, and one that is not yet valid', () => {
    const [expired] = problems({ tls: { cert: './old.pem', key: './good.key' } }).filter((problem) => problem.startsWith('tls.cert'))
    assert.match(expired ?? '', /^tls\.cert: the certificate in old\.pem has expired: it was good until \d{4}-\d\d-\d\dT/)
    const [young] = problems({ tls: { cert: './young.pem', key: './good.key' } }).filter((problem) => problem.startsWith('tls.cert'))
    assert.match(young ?? '', /^tls\.cert: the certificate in young\.pem is not yet valid: it is good from \d{4}-\d\d-\d\dT/)
  })

  test('names a key that does not belong to its certificate', () => {
    assert.deepEqual(problems({ tls: { cert: './good.pem', key: './other.key' } }), [
      'tls.key: the key in other.key does not belong to the certificate in good.pem, expected the one that it was made with',
    ])
  })

  test('names a key that is encrypted and has no passphrase, or the wrong one, and repeats no secret', () => {
    assert.deepEqual(problems({ tls: { cert: './sealed.pem', key: './sealed.key', passphrase: 'open-sesame' } }), [])
    assert.deepEqual(problems({ tls: { cert: './sealed.pem', key: './sealed.key' } }), [
      'tls.key: the key in sealed.key is encrypted, expected "passphrase" beside it',
    ])
    assert.deepEqual(problems({ tls: { cert: './sealed.pem', key: './sealed.key', passphrase: 'open-barley' } }), [
      'tls.passphrase: this passphrase does not open the key in sealed.key',
    ])
  })

  test('names what is damaged, or something else', () => {
    assert.deepEqual(problems({ tls: { cert: './broken.pem', key: './broken.key' } }), [
      'tls.cert: a certificate in broken.pem is damaged: OpenSSL cannot read it',
      'tls.key: the key in broken.key is damaged: OpenSSL cannot read it',
    ])
    assert.deepEqual(problems({ tls: { cert: './good.key', key: './text.pem' } }), [
      'tls.cert: good.key holds a private key, expected "-----BEGIN CERTIFICATE-----"',
      'tls.key: text.pem holds no PEM private key, expected "-----BEGIN PRIVATE KEY-----"',
    ])
  })

  test('shows nothing of a key that stands where its file should', () => {
    const bare = good.key.replaceAll(/-----.*-----|\n/g, '')
    const found = problems({ tls: { cert: './good.pem', key: bare } })

    assert.deepEqual(found, ['tls.key: this is neither the path of a file nor PEM text, expected "-----BEGIN …" around it'])
    assert.doesNotMatch(problems({ tls: { cert: good.key, key: good.cert } }).join(), /MI[A-Z]/)
  })

  test('names a file that this user may not read', { skip: process.getuid?.() === 0 && 'root reads everything' }, () => {
    const dir = folder({ tls: TLS })
    chmodSync(join(dir, 'good.key'), 0)
    const found = problemsOf(() => loadConfig(join(dir, 'config.json')), dir)
    assert.match(found.join(), /this user may not read good\.key/)
  })

  test('refuses a certificate for a server name that it is not made out to', () => {
    const sni = { 'example.com': TLS, 'a.example.org': TLS, '*.example.org': TLS, 'a.b.example.org': TLS, 'example.net': TLS }
    assert.deepEqual(problems({ tls: { ...TLS, sni } }), [
      'tls.sni["a.b.example.org"].cert: the certificate in good.pem is not for a.b.example.org, but for DNS:example.com, DNS:*.example.org, IP Address:127.0.0.1',
      'tls.sni["example.net"].cert: the certificate in good.pem is not for example.net, but for DNS:example.com, DNS:*.example.org, IP Address:127.0.0.1',
    ])
    assert.match(
      problems({ tls: { ...TLS, sni: { 'no name': TLS } } }).join(),
      /tls\.sni\["no name"\]: the name "no name" cannot be used: expected a host name/,
    )
  })

  test('refuses what OpenSSL does not take', () => {
    const weak = makeCertificate({ name: 'weak', rsaBits: 512 })
    assert.deepEqual(problems({ tls: { cert: './weak.pem', key: './weak.key' } }, { 'weak.pem': weak.cert, 'weak.key': weak.key }), [
      'tls.cert: OpenSSL refuses this certificate or its key: ee key too small',
    ])
    assert.deepEqual(problems({ tls: { ...TLS, ciphers: 'NONE-OF-THESE' } }), [
      'tls.ciphers: OpenSSL knows no cipher of this list, expected one as "openssl ciphers" takes it',
    ])
    assert.deepEqual(problems({ tls: { ...TLS, minVersion: 'SSLv3' } }), ['tls.minVersion: expected "TLSv1.2" or "TLSv1.3", found "SSLv3"'])
  })

  test('wants to know whose client certificates are good', () => {
    assert.deepEqual(problems({ tls: { ...TLS, requestCert: true } }), [
      'tls.requestCert: it is not said whose certificates are good, expected "ca" beside it, or "rejectUnauthorized": false',
    ])
    assert.deepEqual(problems({ tls: { ...TLS, requestCert: true, rejectUnauthorized: false } }), [])
    assert.deepEqual(problems({ tls: { ...TLS, ca: './ca.pem' } }), ['tls.ca: only for certificates of clients, expected "requestCert": true beside it'])
    assert.deepEqual(problems({ tls: { ...TLS, requestCert: true, ca: './text.pem' } }), [
      'tls.ca: text.pem holds no PEM certificate, expected "-----BEGIN CERTIFICATE-----"',
    ])
    assert.deepEqual(problems({ tls: { ...TLS, requestCert: true, ca: './none.pem' } }), ['tls.ca: there is no file none.pem'])
    assert.match(problems({ tls: { ...TLS, requestCert: true, ca: './old.pem' } }).join(), /every certificate in old\.pem has expired/)
  })

  test('is for protocols over streams; http2 is for http over TLS', () => {
    assert.deepEqual(problems({ protocol: 'udp', tls: TLS }), ['tls: only for tcp, http, websocket and stream ports, and this one is udp'])
    assert.deepEqual(problems({ protocol: 'http', http2: true }), ['http2: HTTP/2 is spoken over TLS only, expected "tls" beside it'])
    assert.deepEqual(problems({ protocol: 'tcp', http2: true, tls: TLS }), ['http2: only for http ports, and this one is tcp'])
    assert.deepEqual(problems({ protocol: 'http', tls: { ...TLS, alpn: ['h2'] } }), [
      'tls.alpn: only for tcp and stream ports, and this one is http: it offers http/1.1, and h2 with "http2": true',
    ])
  })

  test('is checked on a port that is not enabled, too', () => {
    assert.deepEqual(problems({ enabled: false, tls: { ...TLS, key: './none.key' } }), ['tls.key: there is no file none.key'])
  })

  test('finds a file that has changed since', () => {
    const dir = folder({ tls: TLS })
    assert.deepEqual(
      problemsOf(() => loadConfig(join(dir, 'config.json')), dir),
      [],
    )
    writeFileSync(join(dir, 'good.key'), other.key)
    assert.match(problemsOf(() => loadConfig(join(dir, 'config.json')), dir).join(), /does not belong/)
  })
})
