import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, childrenOf, DaemonProcess } from '../daemon-process.ts'
import { ECHO_TCP, ECHO_WEBSOCKET } from './handlers.ts'
import { eventually, MIB, memoryOf, resetPeak, sleep } from './process-figures.ts'
import { event, events, RECORDER_FILES } from './recorder.ts'

const FILES = { ...RECORDER_FILES, 'echo.js': ECHO_TCP, 'echo-ws.js': ECHO_WEBSOCKET }
const PORTS = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', limits: { sendBuffer: 16 * MIB } },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', limits: { sendBuffer: 16 * MIB } },
  { name: 'slow-open', protocol: 'tcp', port: 0, handler: './tcp.js', options: { openMs: 100 } },
  { name: 'drop', protocol: 'tcp', port: 0, handler: './tcp.js', limits: { sendBuffer: MIB, onOverflow: 'drop' } },
  { name: 'echo', protocol: 'tcp', port: 0, handler: './echo.js' },
  { name: 'echo-ws', protocol: 'websocket', port: 0, handler: './echo-ws.js' },
]
const RSS_LIMIT = 96 * MIB

type Opened = { client: Client; fd: number }

async function open(daemon: DaemonProcess, port: string): Promise<Opened> {
  const client = await Client.open(await daemon.address(port))
  const fd = Number(await client.until('\r\n'))
  client.received = Buffer.alloc(0)
  return { client, fd }
}

/** `onMessage` sees also what comes in one segment with the answer to the upgrade. */
async function openWebSocket(daemon: DaemonProcess, port: string, onMessage: (data: unknown) => void): Promise<WebSocket> {
  const { host, port: number } = await daemon.address(port)
  const socket = new WebSocket(`ws://${host}:${number}`)
  socket.on('error', () => {})
  socket.on('message', onMessage)
  await once(socket, 'open')
  return socket
}

function lines(count: number, of: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => `${of(i)}\r\n`).join('')
}

async function received(daemon: DaemonProcess, port: string): Promise<number> {
  return Number(new RegExp(`polyport_messages_received_total\\{port="${port}"\\} (\\d+)`).exec(await daemon.metrics())?.[1])
}

/** How much the worker's memory grows while `work` runs, at its peak. */
async function growthDuring(daemon: DaemonProcess, work: () => Promise<void>): Promise<number> {
  const [pid] = childrenOf(daemon.pid)
  assert.ok(pid)
  resetPeak(pid)
  const { rss } = memoryOf(pid)
  await work()
  return memoryOf(pid).peak - rss
}

test('flow', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: FILES })

  await t.test('async handlers: messages of one connection come in order, one after another', async () => {
    const expected = lines(500, (i) => `order ${i}`)
    const { client } = await open(daemon, 'tcp')
    client.write(expected)
    await client.until(expected.length)
    assert.equal(client.text, expected)
    const got: string[] = []
    const socket = await openWebSocket(daemon, 'ws', (data) => got.push(String(data)))
    for (let i = 0; i < 300; i++) socket.send(`order ${i}`)
    await eventually('every message is answered', () => got.length === 301)
    assert.deepEqual(
      got.slice(1),
      Array.from({ length: 300 }, (_, i) => `order ${i}`),
    )
    socket.close()
    client.socket.destroy()
  })

  await t.test('an async onConnect holds the messages back', async () => {
    const client = await Client.open(await daemon.address('slow-open'))
    client.write('first\r\nsecond\r\n')
    const text = await client.until('second')
    assert.match(text, /^\d+\r\nfirst\r\nsecond/)
    client.socket.destroy()
  })

  await t.test('while an async handler is behind, its client is not read', async () => {
    const before = await received(daemon, 'tcp')
    const { client } = await open(daemon, 'tcp')
    client.write('hold the-queue\r\n')
    // As much as one read holds may have been read already; 8 MiB are more than the kernel holds.
    const padding = 'x'.repeat(1000)
    const numMessages = 8000
    client.write(lines(numMessages, () => padding))
    await sleep(500)
    const read = (await received(daemon, 'tcp')) - before
    assert.ok(read <= 1000, `${read} messages were read while the first was being handled`)
    writeFileSync(join(daemon.dir, 'the-queue'), '')
    await client.until('hold the-queue\r\n'.length + numMessages * (padding.length + 2))
    client.socket.destroy()
  })

  await t.test('messages behind an async handler are handled and answered although the client has half-closed', async () => {
    const { client } = await open(daemon, 'tcp')
    client.socket.end('wait 100\r\nwait 50\r\nthe third\r\n')
    await client.closed
    assert.equal(client.text, 'wait 100\r\nwait 50\r\nthe third\r\n')
  })

  await t.test('the same for more messages than the queue holds', async () => {
    const expected = `wait 50\r\n${lines(20_000, (i) => `number ${i}`)}`
    const { client } = await open(daemon, 'tcp')
    client.socket.end(expected)
    await client.closed
    assert.equal(client.text, expected)
  })

  await t.test('close(last) delivers what was sent, and last behind it', async () => {
    const { client } = await open(daemon, 'tcp')
    client.write('fill 8\r\nlast\r\n')
    client.socket.pause()
    await sleep(200)
    client.socket.resume()
    await client.closed
    assert.equal(client.received.length, 128 * (65536 + 2) + 'the last word\r\n'.length)
    assert.equal(client.text.slice(-15), 'the last word\r\n')
  })

  await t.test('onDrain comes when what had to wait has left', async () => {
    const { client, fd } = await open(daemon, 'tcp')
    client.socket.pause()
    client.write('fill 12\r\n')
    assert.deepEqual(await event(daemon, 'filled', fd), ['192', 'true'])
    await sleep(200)
    assert.equal(events(daemon).includes(`drain ${fd}`), false)
    client.socket.resume()
    await event(daemon, 'drain', fd)
    await client.until(192 * (65536 + 2))
    client.socket.destroy()
  })

  await t.test('pause and resume', async () => {
    const { client } = await open(daemon, 'tcp')
    client.write('pause 200\r\n')
    await sleep(100)
    client.write('after\r\n')
    assert.equal(await client.until('after\r\n'), 'resumed\r\nafter\r\n')
    client.socket.destroy()
  })

  await t.test('64 MiB for a client that does not read: onOverflow close', async (t) => {
    const { client, fd } = await open(daemon, 'tcp')
    client.socket.pause()
    const growth = await growthDuring(daemon, async () => {
      client.write('fill 64\r\n')
      assert.equal((await event(daemon, 'close', fd))[0], 'overflow')
    })
    const [accepted, isOpen] = await event(daemon, 'filled', fd)
    t.diagnostic(`resident memory grew by ${(growth / MIB).toFixed(1)} MiB; ${accepted} of 1024 messages of 64 KiB were accepted`)
    assert.equal(isOpen, 'false')
    assert.ok(growth <= RSS_LIMIT, `resident memory grew by ${growth / MIB} MiB`)
    client.socket.destroy()
  })

  await t.test('64 MiB for a client that does not read: onOverflow drop', async () => {
    const { client, fd } = await open(daemon, 'drop')
    client.socket.pause()
    client.write('fill 64\r\n')
    const [accepted, isOpen] = await event(daemon, 'filled', fd)
    assert.equal(isOpen, 'true')
    assert.ok(Number(accepted) > 0 && Number(accepted) < 1024)
    client.socket.resume()
    client.write('still here\r\n')
    await client.until('still here\r\n')
    assert.equal(client.received.length, Number(accepted) * (65536 + 2) + 12)
    assert.match(await daemon.metrics(), new RegExp(`polyport_messages_dropped_total\\{port="drop"\\} ${1024 - Number(accepted)}\\n`))
    client.socket.destroy()
  })

  await t.test('a client that does not read its echoes is not read either, and loses nothing', async (t) => {
    const line = `${'e'.repeat(998)}\r\n`
    const total = 64 * MIB
    const client = await Client.open(await daemon.address('echo'))
    const { socket } = client
    socket.pause()
    socket.removeAllListeners('data')
    let echoed = 0
    const growth = await growthDuring(daemon, async () => {
      const chunk = Buffer.from(line.repeat(64))
      for (let sent = 0; sent < total; sent += chunk.length) socket.write(chunk)
      await sleep(1000)
      assert.ok(socket.writableLength > total / 2, 'the daemon has read all of it')
      socket.on('data', (bytes: Buffer) => {
        echoed += bytes.length
      })
      socket.resume()
      socket.end()
      await client.closed
    })
    t.diagnostic(`resident memory grew by ${(growth / MIB).toFixed(1)} MiB`)
    assert.equal(echoed, Math.ceil(total / (64 * line.length)) * 64 * line.length)
    assert.ok(growth <= RSS_LIMIT, `resident memory grew by ${growth / MIB} MiB`)
  })

  await t.test('the same for a WebSocket', async (t) => {
    let echoed = 0
    const socket = await openWebSocket(daemon, 'echo-ws', () => echoed++)
    const message = Buffer.alloc(64 * 1024)
    const count = 1024
    const growth = await growthDuring(daemon, async () => {
      socket.pause()
      for (let i = 0; i < count; i++) socket.send(message)
      await sleep(1000)
      assert.ok(socket.bufferedAmount > (count * message.length) / 2, 'the daemon has read all of it')
      socket.resume()
      await eventually('every message is echoed', () => echoed === count)
    })
    t.diagnostic(`resident memory grew by ${(growth / MIB).toFixed(1)} MiB`)
    assert.ok(growth <= RSS_LIMIT, `resident memory grew by ${growth / MIB} MiB`)
    socket.close()
  })
})
