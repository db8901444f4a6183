import { z } from 'zod'

/** Like a host name, or `*.` and one: what a client may ask for, and a certificate be made out to. */
const serverName = z
  .string()
  .regex(
    /^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*$/,
    'expected a host name such as "example.com", or "*.example.com" for all names below it',
  )

const certificate = {
  cert: z
    .string()
    .min(1)
    .describe('The certificate, with those that lead from it to a known authority behind it: a PEM file, relative to the config file, or the PEM text itself.'),
  key: z.string().min(1).describe('The private key of the certificate: a PEM file, or the PEM text itself.'),
  passphrase: z.string().min(1).optional().describe('Opens `key` where it is encrypted. Better a variable, `"${TLS_PASSPHRASE}"`, than the word itself.'),
}

export const tls = z
  .strictObject({
    ...certificate,
    sni: z
      .record(serverName, z.strictObject(certificate))
      .default({})
      .describe(
        'Further certificates, by the server name that a client asks for: `example.com`, or `*.example.com` for the names one level below. Others get the one above.',
      ),
    ca: z
      .string()
      .min(1)
      .optional()
      .describe(
        "The authorities that clients' certificates must come from: a PEM file, or the PEM text itself. Needed with `requestCert`, unless `rejectUnauthorized` is false.",
      ),
    requestCert: z.boolean().default(false).describe('Ask clients for a certificate. Handlers find it in `connection.tls`.'),
    rejectUnauthorized: z
      .boolean()
      .optional()
      .describe('Refuse clients without a certificate of these authorities, with reason `tls`. True unless it is set, where `requestCert` is.'),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('The oldest version of TLS that is spoken.'),
    ciphers: z
      .string()
      .min(1)
      .optional()
      .describe("OpenSSL's list of ciphers, as `openssl ciphers` takes it; those of TLS 1.3 by their full names in front. The default is Node's own."),
    alpn: z
      .array(z.string().min(1).max(255))
      .min(1)
      .optional()
      .describe('tcp and stream: the protocols that may be spoken inside (ALPN), the best first. http ports offer `http/1.1`, and `h2` with `http2`.'),
    handshakeSeconds: z
      .number()
      .min(0.1)
      .max(3600)
      .default(10)
      .describe('How long a client may take for the handshake before it is refused with reason `tls`.'),
  })
  .describe('Encrypts this port. Certificates are read at start, and again at each reload.')

export type ParsedTls = z.output<typeof tls>
export type ParsedCertificate = Pick<ParsedTls, 'cert' | 'key' | 'passphrase'>

/** A certificate that was read and found good. */
export interface CertificateConfig {
  /** `default`, or the server name that it is for, in lower case. */
  readonly name: string
  /** PEM. */
  readonly cert: string
  readonly key: string
  readonly passphrase?: string
  /** Where it was read from; absent when the config holds it itself. */
  readonly file?: string
  /** In milliseconds since 1970. */
  readonly expiresAt: number
}

/** How a port speaks TLS, all files read. */
export interface TlsConfig {
  /** The default first, then those by server name. */
  readonly certificates: readonly CertificateConfig[]
  /** PEM. */
  readonly ca?: string
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
  readonly minVersion: ParsedTls['minVersion']
  readonly ciphers?: string
  readonly alpn: readonly string[]
  readonly handshakeSeconds: number
}
