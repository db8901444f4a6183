/**
 * Why a connection ended, was refused or was cut off: one word, the same in `onClose`, logs and metrics.
 *
 * - `client`: the peer closed it. `server`: a handler or `daemon.close` did. `shutdown`: the daemon stops.
 * - `frame_too_long`: a message over the port's limit. `overflow`: the peer reads too slowly, the send buffer is full.
 * - `heartbeat`: the peer has sent nothing for too long. `rate`: too much, too fast, or the worker is overloaded.
 * - `max_connections`, `max_connections_per_ip`: the port holds as many connections as it may, in all or of one address.
 * - `denied`: the port's `allow` and `deny`, or the handler's `onUpgrade`, refused it. `origin`: a page of another site.
 * - `proxy_header`: a trusted proxy did not say, or not rightly, whom it speaks for. `tls`: the TLS handshake failed.
 * - `error`: the network, or bytes that break the protocol.
 */
export type CloseReason =
  | 'client'
  | 'server'
  | 'shutdown'
  | 'heartbeat'
  | 'overflow'
  | 'frame_too_long'
  | 'rate'
  | 'max_connections'
  | 'max_connections_per_ip'
  | 'denied'
  | 'origin'
  | 'proxy_header'
  | 'tls'
  | 'error'
