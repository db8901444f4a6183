/** Handlers that the reliability tests start daemons with. */
export const ECHO_TCP = `
import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler { onReceive(connection, message) { connection.send(message) } }
`
export const ECHO_UDP = `
import { UdpHandler } from 'polyport'
export default class Echo extends UdpHandler { onPacket(packet, peer) { peer.send(packet) } }
`
export const ECHO_WEBSOCKET = `
import { WebSocketHandler } from 'polyport'
export default class Echo extends WebSocketHandler { onMessage(connection, message) { connection.send(message) } }
`
/** \`/wait?300\` answers after that many milliseconds. */
export const HELLO_HTTP = `
import { HttpHandler } from 'polyport'
export default class Hello extends HttpHandler {
  async onRequest(request, response) {
    const ms = Number(request.url.split('wait?')[1] ?? 0)
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
    response.end('hello')
  }
}
`
export const FILES: Record<string, string> = { 'tcp.js': ECHO_TCP, 'udp.js': ECHO_UDP, 'ws.js': ECHO_WEBSOCKET, 'http.js': HELLO_HTTP }
export const PORTS: object[] = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
  { name: 'http', protocol: 'http', port: 0, handler: './http.js' },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' },
]
