import { type Connection, TcpHandler } from 'polyport'

/** A device sends a reading a line, `boiler-1 21.5`, and gets `ok`. */
export default class Lines extends TcpHandler {
  override onReceive(connection: Connection, message: Buffer): void {
    const [, device = '', value = ''] = /^([\w-]{1,32}) (-?\d+(?:\.\d+)?)\r?$/.exec(message.toString()) ?? []
    if (device === '') {
      connection.send('error: expected a name and a number')
      return
    }
    const reading = { value: Number(value), at: Date.now() }
    this.daemon.tables.transaction(() => {
      this.daemon.tables['last']?.set(device, reading)
      this.daemon.tables['inbox']?.set(String(this.daemon.counter('readings').add(1)).padStart(16, '0'), { device, ...reading })
    })
    connection.send('ok')
  }
}
