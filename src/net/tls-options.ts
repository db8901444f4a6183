import type { SecureContext, SecureContextOptions, TlsOptions } from 'node:tls'
import type { CertificateConfig, TlsConfig } from '../config/tls-schema.ts'

type SniCallback = NonNullable<TlsOptions['SNICallback']>

/** What a port's `tls` means to `tls.createServer`. @param port its name */
export function tlsServerOptions(config: TlsConfig, port: string): TlsOptions {
  const [first, ...named] = config.certificates
  if (first === undefined) throw new TypeError(`Port "${port}" has no certificate`)
  const { createSecureContext } = process.getBuiltinModule('node:tls')
  const contexts = new Map(named.map((certificate) => [certificate.name, createSecureContext(contextOptions(certificate, config, port))]))
  return {
    ...contextOptions(first, config, port),
    requestCert: config.requestCert,
    rejectUnauthorized: config.rejectUnauthorized,
    handshakeTimeout: config.handshakeSeconds * 1000,
    ...(config.alpn.length > 0 && { ALPNProtocols: [...config.alpn] }),
    ...(contexts.size > 0 && { SNICallback: chooserOf(contexts) }),
  }
}

function contextOptions({ cert, key, passphrase }: CertificateConfig, config: TlsConfig, port: string): SecureContextOptions {
  const { ca, minVersion, ciphers } = config
  const { createHash } = process.getBuiltinModule('node:crypto')
  return {
    cert,
    key,
    ...(passphrase !== undefined && { passphrase }),
    ...(ca !== undefined && { ca }),
    minVersion,
    ...(ciphers !== undefined && { ciphers }),
    honorCipherOrder: true,
    // A session is good for its port only, and with the same word in each context of it: OpenSSL breaks off a handshake that resumes one without
    // when client certificates are asked for (SSL_CTX_set_session_id_context(3)).
    sessionIdContext: createHash('sha256').update(port).digest('hex').slice(0, 32),
  }
}

/** Names that nobody has a certificate for get the default one: the client decides what it makes of it. */
function chooserOf(contexts: ReadonlyMap<string, SecureContext>): SniCallback {
  return (servername, choose) => {
    const name = servername.toLowerCase()
    const dot = name.indexOf('.')
    choose(null, contexts.get(name) ?? (dot === -1 ? undefined : contexts.get(`*${name.slice(dot)}`)))
  }
}
