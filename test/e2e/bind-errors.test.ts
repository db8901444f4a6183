import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'

const FILES = {
  'echo.js':
    "import { TcpHandler } from 'polyport'\nexport default class Echo extends TcpHandler { onReceive(connection, message) { connection.send(message) } }\n",
  'udp.js': "import { UdpHandler } from 'polyport'\nexport default class Echo extends UdpHandler { onPacket(packet, peer) { peer.send(packet) } }\n",
}

/** Starts, expects exit code 1 and one sentence that fits, with nothing left behind. */
async function fails(t: Parameters<typeof DaemonProcess.spawn>[0], port: object, sentence: RegExp, prepare?: (dir: string) => void): Promise<void> {
  const free = { name: 'free', protocol: 'tcp', path: './free.sock', handler: './echo.js' }
  const daemon = DaemonProcess.spawn(t, { ports: [free, { name: 'p', ...port }] }, { files: FILES, ...(prepare && { prepare }) })
  assert.equal(await daemon.exited, 1)
  const said = daemon.lines.filter((line) => line.includes('Cannot open'))
  assert.equal(said.length, 1, daemon.lines.join('\n'))
  assert.match(said[0] ?? '', sentence)
  for (const left of ['free.sock', 'run/polyport.pid', 'run/polyport.sock']) assert.equal(existsSync(join(daemon.dir, left)), false, `${left} is left`)
}

test('a TCP port that is taken', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as net.AddressInfo
  await fails(t, { protocol: 'tcp', port, handler: './echo.js' }, new RegExp(`port "p" on 127.0.0.1:${port}: another process listens there`))
})

test('a UDP port that is taken', async (t) => {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  const { port } = socket.address()
  await fails(t, { protocol: 'udp', port, handler: './udp.js' }, new RegExp(`port "p" on 127.0.0.1:${port}: another process listens there`))
})

test('an address that this machine does not have', async (t) => {
  await fails(t, { protocol: 'tcp', host: '192.0.2.1', port: 7000, handler: './echo.js' }, /192\.0\.2\.1:7000: this machine has no such address/)
})

test('a host name that does not resolve', async (t) => {
  await fails(t, { protocol: 'tcp', host: 'no-such-host.invalid', port: 7000, handler: './echo.js' }, /no-such-host\.invalid: this name has no address/)
})

test('a unix socket in a folder that does not exist', async (t) => {
  await fails(t, { protocol: 'tcp', path: './nowhere/x.sock', handler: './echo.js' }, /nowhere\/x\.sock: the folder of the socket does not exist/)
})

test('a unix socket path that is a regular file is left alone', async (t) => {
  const text = 'precious'
  const dirs: string[] = []
  await fails(t, { protocol: 'tcp', path: './taken.sock', handler: './echo.js' }, /taken\.sock: there is a file that is no socket/, (dir) => {
    writeFileSync(join(dir, 'taken.sock'), text)
    dirs.push(dir)
  })
  assert.equal(existsSync(join(dirs[0] ?? '', 'taken.sock')), true)
})

test('a unix socket that another process listens on is left alone', async (t) => {
  const path = join(process.cwd(), 'test', '.tmp', `live-${process.pid}.sock`)
  const server = net.createServer((socket) => socket.on('error', () => {}).end('mine')).listen(path)
  await once(server, 'listening')
  t.after(() => server.close())
  await fails(t, { protocol: 'tcp', path, handler: './echo.js' }, /another process listens there/)
  const [answer] = await once(net.connect(path), 'data')
  assert.equal(String(answer), 'mine')
})

test('a privileged port without the privilege', { skip: process.getuid?.() !== 0 && 'needs root to give the privilege up' }, async (t) => {
  const daemon = DaemonProcess.spawn(t, { ports: [{ name: 'p', protocol: 'tcp', port: 81, handler: './echo.js' }] }, { files: FILES, uid: 65534 })
  assert.equal(await daemon.exited, 1)
  assert.match(daemon.lines.join('\n'), /port "p" on 127\.0\.0\.1:81: this user may not; ports below 1024 need root/)
})

test('a stale unix socket is replaced', async (t) => {
  const path = join(process.cwd(), 'test', '.tmp', `stale-${process.pid}.sock`)
  // A server that is killed leaves its socket file behind.
  const { spawnSync } = await import('node:child_process')
  spawnSync(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`])
  assert.equal(existsSync(path), true)
  const daemon = await DaemonProcess.start(t, { ports: [{ name: 'p', protocol: 'tcp', path, handler: './echo.js' }] }, { files: FILES })
  assert.equal(await daemon.stop(), 0)
  assert.equal(existsSync(path), false)
})
