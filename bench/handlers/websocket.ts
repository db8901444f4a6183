import { type Connection, WebSocketHandler } from 'polyport'

export default class Echo extends WebSocketHandler {
  override onMessage(connection: Connection, message: string | Buffer): void {
    connection.send(message)
  }
}
