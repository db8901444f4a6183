import { type Connection, TcpHandler } from 'polyport'

// Longer lines are echoed, but are no chat.
const MAX_CHAT_BYTES = 500

/** Sends each line back, and shows it to everybody in the chat: try `telnet 127.0.0.1 5291` with the page open. */
export default class EchoTcp extends TcpHandler {
  override onConnect(connection: Connection): void {
    connection.bind(`telnet ${connection.remotePort}`)
    this.daemon.tables['ws']?.set(`uid:${connection.uid}`, { value: connection.fd })
  }

  override onReceive(connection: Connection, line: Buffer): void {
    if (line.equals(QUIT)) return connection.close('bye')
    connection.send(line)
    // The members are WebSocket connections, of any port and worker: each gets the line as a frame.
    if (line.length > 0 && line.length <= MAX_CHAT_BYTES) this.daemon.publish('chat', `${connection.uid}: ${line}`)
  }

  override onClose(connection: Connection): void {
    this.daemon.tables['ws']?.del(`uid:${connection.uid}`)
  }
}

const QUIT = Buffer.from('quit')
