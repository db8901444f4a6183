import type { Socket } from 'node:net'
import type { SocketConnection } from './connection.ts'
import type { ConnectionContext } from './connection-context.ts'

/**
 * Makes a connection known to all processes. Where shared memory cannot be written the client is refused: its socket closes, and no callback is
 * called for it.
 */
export function registered({ port, connections }: ConnectionContext, socket: Socket, make: () => SocketConnection): SocketConnection | undefined {
  let connection: SocketConnection | undefined
  try {
    connection = make()
    connections.add(connection)
    return connection
  } catch (error) {
    port.log.error({ err: error }, 'Connection refused: shared memory cannot be written')
    connection?.forget()
    port.released(socket, 'error')
    socket.destroy()
    return undefined
  }
}
