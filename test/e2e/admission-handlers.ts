/** Handlers that tell each client by which address it is known. */
export const FILES: Record<string, string> = {
  'tcp.js': `
    import { TcpHandler } from 'polyport'
    export default class Who extends TcpHandler {
      onConnect(connection) { connection.send(connection.remoteAddress + ' ' + connection.remotePort) }
      onReceive(connection, message) { connection.send(message) }
      onClose(connection, reason) { this.log.info({ fd: connection.fd, reason }, 'closed') }
    }`,
  'stream.js': `
    import { StreamHandler } from 'polyport'
    export default class Who extends StreamHandler {
      onStream(stream, info) {
        stream.write(info.remoteAddress + ' ' + info.remotePort + ' ' + stream.remoteAddress + '\\r\\n')
        stream.pipe(stream)
        stream.on('error', () => {})
      }
    }`,
  'http.js': `
    import { clientAddress, HttpHandler } from 'polyport'
    export default class Who extends HttpHandler {
      onRequest(request, response) { response.end(request.socket.remoteAddress + ' ' + request.socket.remotePort + ' ' + clientAddress(request) + '\\r\\n') }
    }`,
  'ws.js': `
    import { clientAddress, WebSocketHandler } from 'polyport'
    export default class Who extends WebSocketHandler {
      onOpen(connection, request) { connection.send(connection.remoteAddress + ' ' + connection.remotePort + ' ' + clientAddress(request)) }
      onMessage(connection, message) { connection.send(message) }
      onClose(connection, reason) { this.log.info({ fd: connection.fd, reason }, 'closed') }
    }`,
  'udp.js': `
    import { UdpHandler } from 'polyport'
    export default class Who extends UdpHandler { onPacket(packet, peer) { peer.send(peer.address) } }`,
}

/** The value of a series on the page of metrics. */
export function seriesOf(page: string, series: string): number {
  const line = page.split('\n').find((text) => text.startsWith(`${series} `))
  return line === undefined ? Number.NaN : Number(line.slice(series.length))
}
