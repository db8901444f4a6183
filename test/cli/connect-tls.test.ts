import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'
import { CERTIFICATE_FILE, certificate } from './certificate.ts'
import { run } from './run-cli.ts'

async function serve(t: TestContext, onSocket: (socket: TLSSocket) => void): Promise<string> {
  const server = tls.createServer({ ...certificate(), allowHalfOpen: true } as tls.TlsOptions, (socket) => {
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `tls://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('polyport connect tls:', () => {
  test('sends stdin, half-closes, prints all that comes and ends with the peer', async (t) => {
    const url = await serve(t, (socket) => {
      let text = ''
      socket.on('data', (chunk) => (text += chunk))
      socket.on('end', () => socket.end(`${text}bye\n`))
    })
    const { code, stdout } = await run(t, ['connect', url, '--wait', '60'], { input: 'hi\nthere', env: { NODE_EXTRA_CA_CERTS: CERTIFICATE_FILE } })

    assert.deepEqual([code, stdout], [0, 'hi\r\nthere\r\nbye\n'])
  })

  test('does not talk to a server whose certificate nobody knows', async (t) => {
    const url = await serve(t, (socket) => socket.end('secret\n'))
    const { code, stdout, stderr } = await run(t, ['connect', url], { input: '' })

    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /Cannot connect to tls:.*: .*certificate/)
  })
})
