import { type Connection, WebSocketHandler } from 'polyport'

export default class Publish extends WebSocketHandler {
  override onOpen(connection: Connection): void {
    connection.join('all')
  }

  override onMessage(_connection: Connection, message: string | Buffer): void {
    this.daemon.publish('all', message)
  }
}
