import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { after, before, describe, type TestContext, test } from 'node:test'
import { Client } from '../daemon-process.ts'
import { WebClient } from '../web-client.ts'
import { ExampleDaemon } from './example-daemon.ts'

async function open(t: TestContext, port: number | undefined): Promise<Client> {
  const client = await Client.open({ host: '127.0.0.1', port: port ?? 0 })
  t.after(() => client.socket.destroy())
  return client
}

describe('config.example.json', () => {
  let example: ExampleDaemon
  const portOf = (name: string): number => example.port(name)

  before(async () => {
    example = await ExampleDaemon.start()
  })

  after(() => example?.stop())

  test('port line sends each line back, exactly as it was sent', async (t) => {
    const client = await open(t, portOf('line'))

    client.write(Buffer.from('hello\r\n\r\n\xff\x00two\r\n', 'latin1'))

    assert.equal(await client.until('two\r\n'), 'hello\r\n\r\n\xff\x00two\r\n')
  })

  test('port line says bye to quit and closes', async (t) => {
    const client = await open(t, portOf('line'))

    client.write('quit\r\n')
    await client.closed

    assert.equal(client.text, 'bye\r\n')
  })

  test('a line of telnet is seen in the chat, on both WebSocket ports', async (t) => {
    const onPage = await WebClient.open(t, `ws://127.0.0.1:${portOf('web')}/ws`)
    const onPort = await WebClient.open(t, `ws://127.0.0.1:${portOf('chat')}/`)
    const telnet = await open(t, portOf('line'))

    telnet.write('hello\r\n')

    assert.equal(await onPage.next(), `telnet ${telnet.socket.localPort}: hello`)
    assert.equal(await onPort.next(), `telnet ${telnet.socket.localPort}: hello`)
  })

  test('the chat sends a message back as it was, and to the others with the name of who said it', async (t) => {
    const ann = await WebClient.open(t, `ws://127.0.0.1:${portOf('chat')}/?name=Ann`)
    const bob = await WebClient.open(t, `ws://127.0.0.1:${portOf('web')}/ws?name=B%3Aob`)

    assert.equal(await ann.next(), '* Bob came in')
    ann.socket.send('hi')
    assert.equal(await ann.next(), 'hi')
    assert.equal(await bob.next(), 'Ann: hi')
    ann.socket.send(Uint8Array.of(1, 2, 255))
    assert.deepEqual(new Uint8Array((await ann.next()) as ArrayBuffer), Uint8Array.of(1, 2, 255))
    assert.deepEqual(new Uint8Array((await bob.next()) as ArrayBuffer), Uint8Array.of(1, 2, 255))
    bob.socket.close()
    assert.equal(await ann.next(), '* Bob has left')
  })

  test('port dgram sends each datagram back', async (t) => {
    const socket = createSocket('udp4')
    t.after(() => socket.close())
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(5000) })

    socket.send('hi\n', portOf('dgram'), '127.0.0.1')

    assert.equal(String((await answered)[0]), 'hi\n')
  })

  test('port api says hello to GET, in JSON to who asks for it, and sends the body of a POST back', async () => {
    const url = `http://127.0.0.1:${portOf('api')}/a?b=c`

    const text = await fetch(url)
    assert.equal(await text.text(), 'Hello from example! GET /a?b=c on port api\n')
    const json = await fetch(url, { headers: { Accept: 'application/json' } })
    assert.deepEqual(await json.json(), { hello: 'example', port: 'api', method: 'GET', path: '/a?b=c' })
    const back = await fetch(url, { method: 'POST', body: 'x'.repeat(200_000) })
    assert.equal((await back.text()).length, 200_000)
    assert.equal((await fetch(url, { method: 'HEAD' })).headers.get('content-length'), String('Hello from example! HEAD /a?b=c on port api\n'.length))
    assert.equal((await fetch(url, { method: 'DELETE' })).status, 405)
  })

  test('port web serves the page, and tells who is online on any port', async (t) => {
    const url = `http://127.0.0.1:${portOf('web')}`
    const telnet = await open(t, portOf('line'))
    telnet.write('x\r\n')
    await telnet.until('x\r\n')
    await WebClient.open(t, `ws://127.0.0.1:${portOf('chat')}/?name=Cleo`)

    const page = await fetch(`${url}/`)
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/)
    assert.match(await page.text(), /<script type="module" src="chat\.js">/)
    assert.equal((await fetch(`${url}/chat.css`)).status, 200)
    const online = (await (await fetch(`${url}/online`)).json()) as string[]
    assert.ok(online.includes('Cleo'))
    assert.ok(online.includes(`telnet ${telnet.socket.localPort}`))
    assert.equal((await fetch(`${url}/none`)).status, 404)
  })
})
