import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { TlsInfo } from '../contracts/tls-info.ts'

/** What a socket's handshake has found out; undefined on a plain one. */
export function tlsInfoOf(socket: Socket): TlsInfo | undefined {
  if (!isTls(socket)) return undefined
  const { subject, subjectaltname, fingerprint256 } = socket.getPeerCertificate()
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    servername: (socket.servername as string | false | null) || undefined,
    alpn: socket.alpnProtocol || undefined,
    authorized: socket.authorized,
    authorizationError: socket.authorizationError === null || socket.authorizationError === undefined ? undefined : String(socket.authorizationError),
    subject: subject === undefined ? undefined : { ...subject },
    subjectAltName: subjectaltname,
    fingerprint: fingerprint256,
  }
}

export function isTls(socket: Socket): socket is TLSSocket {
  return (socket as Partial<TLSSocket>).encrypted === true
}
