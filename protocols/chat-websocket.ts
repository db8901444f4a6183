import type { IncomingMessage } from 'node:http'
import { type Connection, type UpgradeAnswer, WebSocketHandler } from 'polyport'

/** One chat over all WebSocket ports: you get back what you say, the others get it with your name. Come in as `ws://…/?name=Ann`. */
export default class Chat extends WebSocketHandler {
  override onUpgrade(request: IncomingMessage): UpgradeAnswer {
    const name = new URLSearchParams(request.url?.split('?')[1]).get('name') ?? ''
    // Without what could pass for somebody else's line.
    const uid = name.slice(0, 24).replace(/[^\p{L}\p{N} _.-]/gu, '')
    if (uid !== '') return { uid, groups: ['chat'] }
    return { uid: `guest ${this.daemon.counter('guests').add(1)}`, groups: ['chat'], data: { isGuest: true } }
  }

  override onOpen(connection: Connection): void {
    this.daemon.tables['ws']?.set(`uid:${connection.uid}`, { value: connection.fd })
    this.#announce(connection, 'came in')
  }

  override onMessage(connection: Connection, message: string | Buffer): void {
    connection.send(message)
    const signed = typeof message === 'string' ? `${connection.uid}: ${message}` : message
    this.daemon.publish('chat', signed, { except: connection.fd })
  }

  override onClose(connection: Connection): void {
    const table = this.daemon.tables['ws']
    // The same user may have come in by another tab since.
    if (table?.get(`uid:${connection.uid}`, 'value') === connection.fd) table.del(`uid:${connection.uid}`)
    this.#announce(connection, 'has left')
  }

  #announce(connection: Connection, what: string): void {
    if (connection.data['isGuest'] === true) return
    this.daemon.publish('chat', `* ${connection.uid} ${what}`, { except: connection.fd })
  }
}
