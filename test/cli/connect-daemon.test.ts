import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'
import { run } from './run-cli.ts'

const FILES = {
  'tcp.mjs': `import { TcpHandler } from 'polyport'
export default class extends TcpHandler {
  onReceive(connection, message) { connection.send(message) }
}`,
  'udp.mjs': `import { UdpHandler } from 'polyport'
export default class extends UdpHandler {
  onPacket(packet, peer) { peer.send(packet) }
}`,
  'websocket.mjs': `import { WebSocketHandler } from 'polyport'
export default class extends WebSocketHandler {
  onMessage(connection, message) { connection.send(message) }
}`,
}

describe('polyport connect to a daemon', () => {
  test('on every kind of port: echo hi | polyport connect prints the answer and ends', async (t) => {
    const daemon = await DaemonProcess.start(
      t,
      {
        ports: [
          { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.mjs' },
          { name: 'udp', protocol: 'udp', port: 0, handler: './udp.mjs' },
          { name: 'ws', protocol: 'websocket', port: 0, handler: './websocket.mjs' },
          { name: 'unix', protocol: 'tcp', path: './s', handler: './tcp.mjs' },
        ],
      },
      { files: FILES },
    )
    const url = async (scheme: string): Promise<string> => `${scheme}://127.0.0.1:${(await daemon.address(scheme)).port}`
    const targets = [
      { url: await url('tcp'), answer: 'hi\r\n' },
      { url: await url('udp'), answer: 'hi\n' },
      { url: await url('ws'), answer: 'hi\n' },
      { url: `unix:${join(daemon.dir, 's')}`, answer: 'hi\r\n' },
    ]

    for (const { url, answer } of targets) {
      assert.deepEqual(await run(t, ['connect', url, '--wait', '2'], { input: 'hi\n' }), { code: 0, stdout: answer, stderr: '' }, url)
    }
  })
})
