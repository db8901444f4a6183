import { type Connection, TcpHandler } from 'polyport'

export default class Echo extends TcpHandler {
  override onReceive(connection: Connection, message: Buffer): void {
    connection.send(message)
  }
}
