/**
 * Why a connection ended, was refused or was cut off: one word, the same in `onClose`, logs and metrics.
 *
 * - `client`: the peer closed it. `server`: a handler or `daemon.close` did. `shutdown`: the daemon stops.
 * - `frame_too_long`: a message over the port's limit. `overflow`: the peer reads too slowly, the send buffer is full.
 * - `heartbeat`: the peer did not send in time. `origin`: a WebSocket of a page that is not allowed here.
 * - `max_connections`: the port holds as many connections as it may. `denied`: the handler's `onUpgrade` refused it.
 * - `error`: the network, or bytes that break the protocol.
 */
export type CloseReason = 'client' | 'server' | 'shutdown' | 'heartbeat' | 'overflow' | 'frame_too_long' | 'max_connections' | 'denied' | 'origin' | 'error'
