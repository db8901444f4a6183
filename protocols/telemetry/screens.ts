import { type Connection, WebSocketHandler } from 'polyport'

/** Whoever watches. The summary comes from the timer in `gateway.ts`; a message is the name of a device, answered with its last reading. */
export default class Screens extends WebSocketHandler {
  override onOpen(connection: Connection): void {
    connection.join('screens')
  }

  override onMessage(connection: Connection, message: string | Buffer): void {
    const device = String(message)
    connection.send(JSON.stringify({ device, ...this.daemon.tables['last']?.get(device) }))
  }
}
