import type { Finding, Path } from './finding.ts'

/** The size of sun_path in unix(7), less its final NUL. */
export const MAX_SOCKET_PATH_BYTES: number = process.platform === 'linux' ? 107 : 103

/** @param socket the absolute path of a unix socket */
export function tooLongForASocket(path: Path, socket: string): Finding[] {
  if (socket.includes('\0')) return [{ path, message: 'a path cannot hold a NUL character' }]
  const bytes = Buffer.byteLength(socket)
  if (bytes <= MAX_SOCKET_PATH_BYTES) return []
  return [{ path, message: `${bytes} bytes are too long for a unix socket (${socket}), expected at most ${MAX_SOCKET_PATH_BYTES}` }]
}
