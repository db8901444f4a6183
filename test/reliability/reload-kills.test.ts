import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, childrenOf, closeAll, DaemonProcess, isRunning, kill } from '../daemon-process.ts'
import { becomes, eventually, sleep } from './process-figures.ts'

const NUM_CLIENTS = 400
const ROUNDS = 5
const FILES = {
  'echo.js': `
import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler {
  onConnect(connection) { connection.bind('user ' + connection.fd); connection.join('all') }
  onReceive(connection, message) { connection.send(message) }
}`,
}
const PORTS = [{ name: 'tcp', protocol: 'tcp', port: 0, handler: './echo.js' }]

/** Whether the connection answers; false when it has been closed. */
async function answers(client: Client): Promise<boolean> {
  const before = client.received.length
  client.write('x\r\n')
  await Promise.race([client.until(before + 3).catch(() => {}), client.closed, sleep(8000)])
  assert.ok(client.socket.destroyed || client.received.length === before + 3, 'a connection hangs')
  return !client.socket.destroyed
}

async function figure(daemon: DaemonProcess, series: string): Promise<number> {
  const line = (await daemon.metrics()).split('\n').find((each) => each.startsWith(`${series} `))
  return Number(line?.slice(series.length + 1))
}

for (const generation of ['old', 'new'] as const) {
  test(`kill -9 of an ${generation} worker while connections move: none hangs, each that is cut is counted, nothing stays in the registry`, async (t) => {
    const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
    const where = await daemon.address('tcp')
    let clients: Client[] = []
    t.after(() => closeAll(clients))
    let numOpened = 0
    for (let round = 0; round < ROUNDS; round++) {
      for (; clients.length < NUM_CLIENTS; numOpened++) clients.push(await Client.open(where))
      // A worker that is killed before it reports takes along what it has counted: here only old ones are to accept.
      await eventually('all are accepted', async () => (await daemon.status()).ports[0]?.connections === NUM_CLIENTS)
      const before = childrenOf(daemon.pid)
      const reloaded = daemon.request('POST', '/api/reload')
      const isMoving = async (): Promise<boolean> => (await daemon.status()).workers.some(({ state }) => state === 'draining')
      await eventually('connections move', async () => (await isMoving()) || !childrenOf(daemon.pid).some((pid) => before.includes(pid)))
      await sleep(20 * Math.random())
      const [victim] = childrenOf(daemon.pid).filter((pid) => before.includes(pid) === (generation === 'old'))
      kill(victim)
      await reloaded
      await eventually('every slot has one worker', async () => {
        const { workers } = await daemon.status()
        return workers.length === 2 && workers.every(({ state }) => state === 'ready') && childrenOf(daemon.pid).length === 2
      })
      const living = await Promise.all(clients.map(answers))
      clients = clients.filter((_, i) => living[i])
    }
    const numCut = numOpened - clients.length

    t.diagnostic(`${numCut} of ${numOpened} connections were cut in ${ROUNDS} rounds`)
    await becomes(clients.length, async () => (await daemon.status()).ports[0]?.connections)
    await becomes(clients.length, () => figure(daemon, 'polyport_users'))
    await becomes(numOpened, () => figure(daemon, 'polyport_connections_accepted_total{port="tcp"}'))
    await becomes(numCut, () => figure(daemon, 'polyport_connections_closed_total{port="tcp",reason="error"}'))
  })
}

test('kill -9 of the master while connections move: every worker ends', async (t) => {
  for (let round = 0; round < 3; round++) {
    const daemon = await DaemonProcess.start(t, { workers: 2, log: { level: 'debug' }, ports: PORTS }, { files: FILES })
    const where = await daemon.address('tcp')
    const clients = await Promise.all(Array.from({ length: NUM_CLIENTS }, () => Client.open(where)))
    const before = childrenOf(daemon.pid)
    void daemon.request('POST', '/api/reload').catch(() => {})
    await eventually('the new workers are there', () => childrenOf(daemon.pid).length === 4)
    const workers = childrenOf(daemon.pid)
    t.after(() => {
      workers.filter(isRunning).forEach(kill)
    })
    await eventually('connections move', () => handovers(daemon) > 0 || !before.every(isRunning))
    await sleep(20 * round)
    daemon.child.kill('SIGKILL')
    await eventually('every worker has ended', () => !workers.some(isRunning), 5000)
    closeAll(clients)
  }
})

function handovers(daemon: DaemonProcess): number {
  return daemon.lines.filter((line) => line.includes('"msg":"Connection handed over"')).length
}
