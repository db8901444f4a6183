import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { ROOT } from '../cli/run-cli.ts'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { freePort } from '../free-port.ts'
import { eventually } from '../reliability/process-figures.ts'

const FILES = {
  'web.js': `
import { HttpHandler, clientAddress } from 'polyport'
export default class Web extends HttpHandler {
  onRequest(request, response) { response.end('hello ' + clientAddress(request)) }
}`,
  'chat.js': `
import { WebSocketHandler } from 'polyport'
export default class Chat extends WebSocketHandler {
  onOpen(connection) { connection.send('from ' + connection.remoteAddress) }
  onMessage(connection, message) { connection.send(message) }
}`,
  'line.js': `
import { TcpHandler } from 'polyport'
export default class Line extends TcpHandler {
  onReceive(connection, message) { connection.send(connection.remoteAddress + ' ' + message) }
}`,
}
const NUM_RELOADS = 5
const NUM_LOOPS = 12
const END_MS = 2000
// Not the address of the front: what arrives must be the client's.
const CLIENT = '127.0.0.2'

interface Front {
  readonly name: string
  readonly program: string
  /** Writes what it needs into its folder. @returns its arguments */
  prepare(dir: string, ports: { front: number; web: number; line: number; lineFront: number }): string[]
}

function deployed(file: string, replacements: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(ROOT, 'deploy', file), 'utf8')
  for (const [from, to] of Object.entries(replacements)) {
    assert.ok(text.includes(from), `deploy/${file} has no ${from}`)
    text = text.replaceAll(from, to)
  }
  return text
}

const NGINX: Front = {
  name: 'nginx',
  program: 'nginx',
  prepare(dir, { front, web }) {
    const site = deployed('nginx.conf', { '127.0.0.1:5200': `127.0.0.1:${web}`, 'listen 80;': `listen 127.0.0.1:${front};` })
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join('\n')
    writeFileSync(
      join(dir, 'nginx.conf'),
      `daemon off;\nworker_processes 1;\npid ${dir}/nginx.pid;\nerror_log ${dir}/error.log;\nevents {}\nhttp {\naccess_log off;\n${temp}\n${site}}\n`,
    )
    return ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')]
  },
}

const APACHE: Front = {
  name: 'Apache',
  program: 'apache2',
  prepare(dir, { front, web }) {
    const site = deployed('apache.conf', { 'http://127.0.0.1:5200/': `http://127.0.0.1:${web}/`, '*:80>': `127.0.0.1:${front}>` })
    const modules = ['mpm_event', 'authz_core', 'headers', 'proxy', 'proxy_http', 'proxy_wstunnel']
    const load = modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')
    const account = process.getuid?.() === 0 ? 'User nobody\nGroup nogroup\n' : ''
    writeFileSync(
      join(dir, 'apache.conf'),
      `${load}\n${account}ServerRoot ${dir}\nServerName localhost\nPidFile ${dir}/apache.pid\nDefaultRuntimeDir ${dir}\nErrorLog ${dir}/error.log\nListen 127.0.0.1:${front}\n${site}`,
    )
    return ['-f', join(dir, 'apache.conf'), '-DFOREGROUND']
  },
}

const HAPROXY: Front = {
  name: 'HAProxy',
  program: 'haproxy',
  prepare(dir, { front, web, line, lineFront }) {
    const replacements = {
      '127.0.0.1:5200': `127.0.0.1:${web}`,
      '127.0.0.1:5291': `127.0.0.1:${line}`,
      'bind :80': `bind 127.0.0.1:${front}`,
      'bind :5290': `bind 127.0.0.1:${lineFront}`,
    }
    writeFileSync(join(dir, 'haproxy.cfg'), deployed('haproxy.cfg', replacements))
    return ['-db', '-f', join(dir, 'haproxy.cfg')]
  },
}

const CADDY: Front = {
  name: 'Caddy',
  program: 'caddy',
  prepare(dir, { front, web }) {
    const site = deployed('Caddyfile', { '127.0.0.1:5200': `127.0.0.1:${web}`, 'example.com {': `http://:${front} {\n\tbind 127.0.0.1` })
    writeFileSync(join(dir, 'Caddyfile'), `{\n\tadmin off\n\tstorage file_system ${dir}/storage\n}\n${site}`)
    return ['run', '--config', join(dir, 'Caddyfile'), '--adapter', 'caddyfile']
  },
}

/** Starts the daemon and, before it, the front. Both end with the test. */
async function start(t: TestContext, front: Front) {
  const trusted = ['127.0.0.1']
  const daemon = await DaemonProcess.start(
    t,
    {
      workers: 2,
      ports: [
        { name: 'web', protocol: 'http', port: 0, handler: './web.js', trustedProxies: trusted, websocket: { path: '/ws', handler: './chat.js' } },
        { name: 'line', protocol: 'tcp', port: 0, handler: './line.js', proxyProtocol: trusted },
      ],
    },
    { files: FILES },
  )
  const [web, line] = await Promise.all([daemon.address('web'), daemon.address('line')])
  const ports = { front: await freePort(), lineFront: await freePort(), web: Number(web.port), line: Number(line.port) }
  const dir = mkdtempSync(join(tmpdir(), 'polyport-front-'))
  chmodSync(dir, 0o755)
  mkdirSync(join(dir, 'logs'))
  const args = front.prepare(dir, ports)
  // In a group of its own, by which those of its children are reached that it does not wait for.
  const child = spawn(front.program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const ended = once(child, 'exit')
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += chunk))
  t.after(async () => {
    child.kill('SIGTERM')
    // Apache waits up to 10 s for a child that is still in a WebSocket.
    const timer = setTimeout(killGroup, END_MS, child.pid)
    await ended
    clearTimeout(timer)
    rmSync(dir, { recursive: true, force: true })
  })
  const isOpen = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(ports.front, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
  await eventually(`${front.name} listens`, () => {
    assert.equal(child.exitCode, null, errors)
    return isOpen()
  })
  return { daemon, ports }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // The last of it has just ended.
  }
}

function get(port: number, agent?: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { host: '127.0.0.1', port, localAddress: CLIENT, headers: { 'X-Forwarded-For': '10.9.8.7' }, ...(agent && { agent }) },
      (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (chunk) => (body += chunk))
        response.on('end', () => (response.statusCode === 200 ? resolve(body) : reject(new Error(`${response.statusCode} ${body}`))))
        response.on('error', reject)
      },
    )
    request.on('error', reject)
  })
}

for (const front of [NGINX, APACHE, HAPROXY, CADDY]) {
  const skip = spawnSync(front.program, ['-v']).error === undefined ? false : `${front.program} is not installed`
  describe(`behind ${front.name}, by its file in deploy/`, { skip }, () => {
    test('pages and upgrades come from the client, whatever it claims; reloads under load fail no request and cut no WebSocket', async (t) => {
      const { daemon, ports } = await start(t, front)

      assert.equal(await get(ports.front), `hello ${CLIENT}`)

      const socket = new WebSocket(`ws://127.0.0.1:${ports.front}/ws`, { localAddress: CLIENT })
      t.after(() => socket.terminate())
      const [greeting] = await once(socket, 'message')
      assert.equal(String(greeting), `from ${CLIENT}`)

      const failures: string[] = []
      let numAnswered = 0
      let isDone = false
      // Also where this fails: nobody waits for the loops then.
      t.after(() => {
        isDone = true
      })
      const agent = new http.Agent({ keepAlive: true })
      t.after(() => agent.destroy())
      const loops = Array.from({ length: NUM_LOOPS }, async (_, index) => {
        while (!isDone) {
          await get(ports.front, index % 2 === 0 ? agent : undefined).then(
            () => numAnswered++,
            (error: Error) => failures.push(error.message),
          )
        }
      })
      for (let i = 0; i < NUM_RELOADS; i++) {
        assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
        socket.send(`after ${i}`)
        const [answer] = await once(socket, 'message')
        assert.equal(String(answer), `after ${i}`)
      }
      isDone = true
      await Promise.all(loops)

      assert.deepEqual(failures, [])
      assert.ok(numAnswered > NUM_RELOADS * NUM_LOOPS, `only ${numAnswered} requests were answered`)
      t.diagnostic(`${numAnswered} requests during ${NUM_RELOADS} reloads, 0 failed`)
    })
  })
}

describe('behind HAProxy with PROXY v2', { skip: spawnSync('haproxy', ['-v']).error !== undefined }, () => {
  test('a TCP connection has the address of the client, and stays over a reload', async (t) => {
    const { daemon, ports } = await start(t, HAPROXY)
    const client = await Client.open({ host: '127.0.0.1', port: ports.lineFront, localAddress: CLIENT })
    t.after(() => client.socket.destroy())

    client.write('a\r\n')
    await client.until(`${CLIENT} a\r\n`)
    await daemon.request('POST', '/api/reload')
    client.write('b\r\n')

    await client.until(`${CLIENT} b\r\n`)
  })
})
