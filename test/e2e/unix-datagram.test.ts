import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'

const ECHO = `
import { UdpHandler } from 'polyport'
export default class Echo extends UdpHandler { onPacket(packet, peer) { peer.send(Buffer.concat([Buffer.from(this.daemon.worker.slot + ':'), packet])) } }
`
const PORT = { name: 'dgram', protocol: 'udp', path: './dgram.sock', mode: '0600', handler: './echo.js' }

interface UnixDgram {
  createSocket(
    type: 'unix_dgram',
    onMessage: (packet: Buffer) => void,
  ): {
    bind(path: string): void
    send(packet: Buffer, offset: number, length: number, path: string, done: (error?: Error) => void): void
    close(): void
  }
}

// Two steps, and less than a test may take: where they take longer it is skipped.
const BUILD_MS = 100_000

// Run by npm, this process has npm's settings in its environment: they are not meant for another project.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))

function run(command: string, args: readonly string[], cwd: string): boolean {
  return spawnSync(command, args, { cwd, env, stdio: 'ignore', timeout: BUILD_MS / 2 }).status === 0
}

/** Builds the optional package for the Node that runs this test, against the headers of that very version. Undefined where that cannot be done. */
function build(t: TestContext): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'unix-dgram-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'package.json'), '{"private":true}')
  const headers = `node-${process.platform}-${process.arch}@${process.versions.node}`
  if (!run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', 'unix-dgram@2', 'node-gyp', headers], dir)) return undefined
  const gyp = join(dir, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
  const nodedir = join(dir, 'node_modules', `node-${process.platform}-${process.arch}`)
  const isBuilt = run(process.execPath, [gyp, 'rebuild', `--nodedir=${nodedir}`], join(dir, 'node_modules', 'unix-dgram'))
  return isBuilt ? join(dir, 'node_modules') : undefined
}

test('udp on a unix datagram socket, through unix-dgram', async (t) => {
  const modules = build(t)
  if (modules === undefined) {
    t.skip('unix-dgram cannot be built here: it needs the registry, a C++ compiler, make and python3')
    return
  }
  // Where the config is, as a user would install it.
  const prepare = (dir: string): void => {
    for (const name of ['unix-dgram', 'bindings', 'file-uri-to-path']) cpSync(join(modules, name), join(dir, 'node_modules', name), { recursive: true })
  }
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: [PORT] }, { files: { 'echo.js': ECHO }, prepare })
  const path = join(daemon.dir, 'dgram.sock')
  const own = join(daemon.dir, 'client.sock')
  const { createSocket } = createRequire(join(modules, 'x.js'))('unix-dgram') as UnixDgram
  let onAnswer: (packet: Buffer) => void = () => {}
  const socket = createSocket('unix_dgram', (packet) => onAnswer(packet))
  t.after(() => socket.close())
  socket.bind(own)
  const ask = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      onAnswer = (packet) => resolve(packet.toString())
      const packet = Buffer.from(text)
      socket.send(packet, 0, packet.length, path, (error) => error && reject(error))
    })

  assert.equal(await ask('hello'), '0:hello')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  process.kill((await daemon.status()).workers[0]?.pid ?? 0, 'SIGKILL')
  await daemon.line(/"worker":0.*"msg":"Worker ready"/)
  assert.equal(await ask('after a crash'), '0:after a crash')
  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
  assert.equal(await ask('after a reload'), '0:after a reload')
  assert.equal(await daemon.stop(), 0)
  assert.equal(existsSync(path), false)
})

test('without the optional package the sentence says what to install', async (t) => {
  const daemon = DaemonProcess.spawn(t, { ports: [PORT] }, { files: { 'echo.js': ECHO } })
  assert.equal(await daemon.exited, 2)
  assert.match(daemon.lines.join('\n'), /ports\[0\]\.path: .*npm install unix-dgram/)
})
