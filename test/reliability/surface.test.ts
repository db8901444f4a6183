import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { BIN, folder, run } from '../cli/run-cli.ts'
import { childrenOf, DaemonProcess } from '../daemon-process.ts'
import { FILES } from './handlers.ts'
import { calm, type Measured, measure } from './processor-time.ts'

const CHECK_LIMIT_MS = 1000
// Of the state column in /proc/net/tcp.
const LISTEN = '0A'
const LOOPBACK = /^(0100007F|00000000000000000000000001000000)$/
const PORTS = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
  { name: 'udp', protocol: 'udp', port: 0, handler: './udp.js' },
  { name: 'http', protocol: 'http', port: 0, handler: './http.js' },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' },
]

interface Bound {
  readonly kind: string
  /** As the kernel writes it: hexadecimal, bytes of each word in host order. */
  readonly host: string
  readonly port: number
}

/** Every TCP socket that a process listens on, and every UDP socket that it has bound. */
function boundBy(pid: number): Bound[] {
  const inodes = new Set<string>()
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode !== undefined) inodes.add(inode)
    } catch {
      // Closed since the folder was read.
    }
  }
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((kind) =>
    readFileSync(`/proc/${pid}/net/${kind}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => inodes.has(inode ?? '') && (state === LISTEN || kind.startsWith('udp')))
      .map(([, local = '']) => ({ kind, host: local.split(':')[0] ?? '', port: Number.parseInt(local.split(':')[1] ?? '', 16) })),
  )
}

function boundByTree(daemon: DaemonProcess): Bound[] {
  const all = [daemon.pid, ...childrenOf(daemon.pid)].flatMap(boundBy)
  return [...new Map(all.map((bound) => [JSON.stringify(bound), bound])).values()]
}

function project(t: TestContext, config: object): string {
  const dir = folder(t)
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(dir, name), text)
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ runtimeDir: './run', ...config }))
  return dir
}

test('without a host everything is on loopback, and without `admin` there is no admin port', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const bound = boundByTree(daemon)
  const ports = await Promise.all(PORTS.map(async ({ name }) => (await daemon.address(name)).port))
  assert.deepEqual(new Set(bound.map(({ port }) => port)), new Set(ports))
  for (const { host, port } of bound) assert.match(host, LOOPBACK, `port ${port} is open on ${host}`)
})

test('a host that is written is taken, and the admin port is on loopback by itself', async (t) => {
  const ports = [{ name: 'tcp', protocol: 'tcp', host: '0.0.0.0', port: 0, handler: './tcp.js' }]
  const daemon = await DaemonProcess.start(t, { ports, admin: { port: 0 } }, { files: FILES })
  const { port } = await daemon.address('tcp')
  const bound = boundByTree(daemon)
  assert.equal(bound.length, 2)
  for (const each of bound) assert.match(each.host, each.port === port ? /^0{8}$/ : LOOPBACK)
})

test('an admin port for other machines is refused without a token', async (t) => {
  const dir = project(t, { ports: PORTS, admin: { host: '0.0.0.0', port: 0 } })
  const { code, stderr } = await run(t, ['check', '-c', join(dir, 'config.json')])
  assert.equal(code, 2)
  assert.match(stderr, /admin/)
  assert.match(stderr, /token/)
})

test('the example config is on loopback', () => {
  const text = readFileSync(new URL('../../config.example.json', import.meta.url), 'utf8')
  for (const [, host] of text.matchAll(/"host":\s*"([^"]*)"/g)) assert.equal(host, '127.0.0.1')
})

test('control socket and admin socket are for their owner alone', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS, admin: { path: './admin.sock' } }, { files: FILES })
  for (const path of ['run/polyport.sock', 'admin.sock']) assert.equal(statSync(join(daemon.dir, path)).mode & 0o777, 0o600, path)
})

test('a unix socket has the mode and owner of the config, otherwise what the umask leaves', async (t) => {
  const isRoot = process.getuid?.() === 0
  const ports = [
    { name: 'open', protocol: 'tcp', path: './open.sock', mode: '0666', handler: './tcp.js' },
    { name: 'group', protocol: 'http', path: './group.sock', mode: '0660', ...(isRoot && { owner: '65534:65534' }), handler: './http.js' },
    { name: 'plain', protocol: 'websocket', path: './plain.sock', handler: './ws.js' },
  ]
  const daemon = await DaemonProcess.start(t, { workers: 2, ports }, { files: FILES })
  const stat = (name: string): { mode: number; uid: number; gid: number } => statSync(join(daemon.dir, name))
  assert.equal(stat('open.sock').mode & 0o777, 0o666)
  assert.equal(stat('group.sock').mode & 0o777, 0o660)
  assert.equal(stat('plain.sock').mode & 0o777, 0o777 & ~process.umask())
  if (isRoot) assert.deepEqual([stat('group.sock').uid, stat('group.sock').gid], [65534, 65534])
})

test('too long a socket path is a mistake in the config', async (t) => {
  const name = 's'.repeat(120)
  const dir = project(t, { ports: [{ name: 'p', protocol: 'tcp', path: `./${name}`, handler: './tcp.js' }] })
  const { code, stderr } = await run(t, ['check', '-c', join(dir, 'config.json')])
  assert.equal(code, 2)
  assert.match(stderr, /config\.json:1:\d+: ports\[0\]\.path: \d+ bytes are too long for a unix socket/)
})

test('check opens nothing', { skip: spawnSync('strace', ['-V']).status !== 0 && 'needs strace' }, async (t) => {
  const dir = project(t, { workers: 2, ports: [...PORTS, { name: 'u', protocol: 'tcp', path: './u.sock', handler: './tcp.js' }], admin: { port: 0 } })
  const trace = join(dir, 'trace')
  const calls = (): string[] =>
    readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => /\b(bind|listen)\(/.test(line))
  const strace = (args: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync('strace', ['-f', '-o', trace, '-e', 'trace=bind,listen', ...args], { cwd: dir, timeout: 20_000 })

  const { status } = strace([process.execPath, BIN, 'check', '-c', join(dir, 'config.json')])
  assert.equal(status, 0)
  assert.deepEqual(calls(), [])
  assert.equal(existsSync(join(dir, 'run')), false)
  // The same trace of a program that does open one.
  strace([process.execPath, '-e', "require('net').createServer().listen(0, '127.0.0.1', function () { this.close() })"])
  assert.ok(calls().length >= 2)
})

test('check takes less than a second', async (t) => {
  const dir = project(t, { ports: PORTS })
  const times: Measured[] = []
  const busy: number[] = []
  for (let i = 0; i < 3; i++) {
    const before = childrenMs()
    const check = async (): Promise<void> => assert.equal((await run(t, ['check', '-c', join(dir, 'config.json')])).code, 0)
    times.push(await measure(process.pid, check))
    busy.push(childrenMs() - before)
  }
  t.diagnostic(`${times.map(({ ms }) => ms.toFixed(0)).join(', ')} ms, of which ${busy.join(', ')} on a processor`)
  // Beside other programs it takes as long as they leave it: there it is what it needs itself.
  assert.ok(Math.min(...busy) < CHECK_LIMIT_MS)
  assert.ok(calm(times).length === 0 || Math.min(...calm(times)) < CHECK_LIMIT_MS)
})

/** Time on a processor of all that this process has started and that has ended, in steps of 10 ms: proc(5), cutime and cstime. */
function childrenMs(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return 10 * (Number(fields[13]) + Number(fields[14]))
}
