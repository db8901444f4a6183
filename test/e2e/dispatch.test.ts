import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, DaemonProcess } from '../daemon-process.ts'

const WORKERS = 4
const WHO = `
import { TcpHandler } from 'polyport'
export default class Who extends TcpHandler {
  onConnect(connection) { connection.send(String(this.daemon.worker.slot)) }
  onReceive(connection, message) { connection.send(message) }
}
`

async function start(t: Parameters<typeof DaemonProcess.start>[0], dispatch: string): Promise<DaemonProcess> {
  const config = { workers: WORKERS, dispatch, ports: [{ name: 'who', protocol: 'tcp', host: '127.0.0.1', port: 0, handler: './who.js' }] }
  return DaemonProcess.start(t, config, { files: { 'who.js': WHO } })
}

/** Opens connections, 20 at a time, and leaves them open. */
async function open(t: { after(fn: () => void): void }, daemon: DaemonProcess, count: number): Promise<{ client: Client; slot: number }[]> {
  const where = await daemon.address('who')
  const clients: { client: Client; slot: number }[] = []
  t.after(() => {
    for (const { client } of clients) client.socket.destroy()
  })
  const one = async (): Promise<void> => {
    while (clients.length < count) {
      const entry = { client: new Client(where), slot: -1 }
      clients.push(entry)
      entry.slot = Number(await entry.client.until('\r\n'))
    }
  }
  await Promise.all(Array.from({ length: 20 }, one))
  return clients
}

function perSlot(clients: readonly { slot: number }[]): number[] {
  return Array.from({ length: WORKERS }, (_, slot) => clients.filter((client) => client.slot === slot).length)
}

test('kernel: 1,000 long-lived connections spread over 4 workers', async (t) => {
  const daemon = await start(t, 'kernel')
  const counts = perSlot(await open(t, daemon, 1000))
  t.diagnostic(`connections by worker: ${counts.join(', ')}`)
  assert.ok(Math.max(...counts) <= 1.5 * 250, `the fullest worker has ${Math.max(...counts)} of 1,000`)
})

test('round-robin: each in turn', async (t) => {
  const daemon = await start(t, 'round-robin')
  const counts = perSlot(await open(t, daemon, 200))
  assert.deepEqual(counts, [50, 50, 50, 50])
})

test('round-robin: what is dealt to a worker that is killed is answered by another', async (t) => {
  const daemon = await start(t, 'round-robin')
  const where = await daemon.address('who')
  for (let round = 0; round < 4; round++) {
    const victim = (await daemon.status()).workers[round]
    assert.ok(victim)
    const opening = Array.from({ length: 40 }, () => new Client(where))
    process.kill(victim.pid, 'SIGKILL')
    // Each is answered, or was taken by the worker that died: then it is closed. None hangs.
    const answers = await Promise.all(opening.map((client) => Promise.race([client.until('\r\n').catch(() => 'closed'), client.closed.then(() => 'closed')])))
    assert.equal(answers.length, 40)
    for (const client of opening) client.socket.destroy()
    await daemon.line(new RegExp(`"worker":${round}.*"msg":"Worker ready"`))
  }
})

test('ip-hash: a client address always meets the same worker', async (t) => {
  const daemon = await start(t, 'ip-hash')
  const { port } = await daemon.address('who')
  const clients = await open(t, daemon, 40)
  assert.equal(new Set(clients.map(({ slot }) => slot)).size, 1)
  assert.ok(port > 0)
})
