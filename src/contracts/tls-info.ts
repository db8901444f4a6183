/** What is known of a TLS connection once its handshake is done. Plain data. */
export interface TlsInfo {
  /** `TLSv1.3` or `TLSv1.2`. */
  readonly protocol: string
  /** The cipher by its standard name: `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string
  /** The server name that the client asked for (SNI). */
  readonly servername: string | undefined
  /** The protocol that both have agreed on (ALPN): one of `tls.alpn`, or `http/1.1`. */
  readonly alpn: string | undefined
  /** The client has shown a certificate that comes from one of the port's authorities (`tls.ca`). */
  readonly authorized: boolean
  /** Why its certificate is not trusted, as OpenSSL names it: `CERT_HAS_EXPIRED`. Only where `rejectUnauthorized` is false. */
  readonly authorizationError: string | undefined
  /** Whom the client's certificate is made out to: `{ CN: 'device-7', O: 'Example' }`. Undefined when there is none. Trust it only if `authorized`. */
  readonly subject: Readonly<Record<string, string | string[] | undefined>> | undefined
  /** The other names of the client's certificate: `DNS:device-7.example.com, URI:urn:device:7`. */
  readonly subjectAltName: string | undefined
  /** SHA-256 of the client's certificate: 32 bytes in hex, with colons. */
  readonly fingerprint: string | undefined
}
