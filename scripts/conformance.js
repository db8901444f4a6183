// Runs clients that break protocols against the example config, with one worker and with two. They are programs of their own,
// and not part of this repository: where their folder is not there, nothing is run. POLYPORT_CONFORMANCE says where it is.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '../test/free-port.ts'

const ROOT = resolve(import.meta.dirname, '..')
const TOOLS = resolve(ROOT, process.env['POLYPORT_CONFORMANCE'] || '../shared/tools/conformance')
const START_MS = 30_000
const ORIGIN = 'https://good.example'
const LIMITS = { headerSeconds: 2, requestSeconds: 3, keepAliveSeconds: 2, bodyBytes: 2 * 1024 * 1024 }
const WAITS = ['--header-timeout', '2', '--body-timeout', '3', '--keepalive', '2', '--body-limit', String(LIMITS.bodyBytes)]

if (!existsSync(TOOLS)) {
  console.log(`There is no ${TOOLS}: nothing to run`)
  process.exit()
}

const failed = []
for (const workers of [1, 2]) {
  const daemon = await start(workers)
  try {
    for (const step of steps(daemon)) failed.push(...(await run(step, workers)))
  } finally {
    daemon.child.kill('SIGTERM')
    await daemon.exited
    rmSync(daemon.dir, { recursive: true, force: true })
  }
}
// Last, since the end of the output is what CI shows.
for (const line of failed) console.log(`failed: ${line}`)
process.exitCode = failed.length > 0 ? 1 : 0

/** Program and arguments. What takes long by design is done with less: the whole is run by hand. */
function steps({ ports, child }) {
  const tree = ['--tree', String(child.pid)]
  const mixed = `ws://127.0.0.1:${ports.mixed}/ws`
  const webSocket = ['ws-abuse.mjs', mixed, '--plain-ok', '--strict', '--broadcast-url', `${mixed}?all`, '--origin-good', ORIGIN, '--mem-send', '32']
  return [
    ['http-abuse.mjs', '127.0.0.1', ports.api, '--echo', '/', '--strict', ...WAITS],
    ['http-abuse.mjs', '127.0.0.1', ports.mixed, '--echo', '/', '--strict', '--skip', 'slow'],
    ['http-abuse.mjs', '127.0.0.1', ports.web, '--strict', '--skip', 'slow'],
    [...webSocket, '--origin-bad', 'https://evil.example', '--handshake-timeout', '2', '--opens', '300', '--pings', '100000', ...tree],
    ['ws-abuse.mjs', `ws://127.0.0.1:${ports.beat}/`, '--strict', '--only', 'heartbeat', '--heartbeat', '1'],
    ['tcp-framing.mjs', '127.0.0.1', ports.line, '--max', String(4 * 1024 * 1024), '--connects', '2000', '--mem-send', '32', ...tree],
    ['udp-abuse.mjs', '127.0.0.1', ports.dgram, ...tree],
  ]
}

/** The example config on ports that are free, one more port that speaks HTTP and WebSocket, and one that drops who does not answer pings. */
async function start(workers) {
  const dir = mkdtempSync(join(tmpdir(), 'polyport-conformance-'))
  const config = JSON.parse(readFileSync(join(ROOT, 'config.example.json'), 'utf8').replaceAll('./protocols', join(ROOT, 'protocols')))
  const fixtures = join(ROOT, 'test', 'fixtures', 'conformance')
  config.ports.push({
    name: 'mixed',
    protocol: 'http',
    handler: join(fixtures, 'echo-http.js'),
    websocket: { path: '/ws', handler: join(fixtures, 'echo-websocket.js'), origins: [ORIGIN], compression: true },
  })
  config.ports.push({ name: 'beat', protocol: 'websocket', handler: join(fixtures, 'echo-websocket.js'), heartbeat: { idleSeconds: 1, checkSeconds: 1 } })
  for (const port of config.ports) {
    port.port = await freePort()
    if (port.name === 'api' || port.name === 'mixed') port.limits = LIMITS
  }
  delete config.$schema
  const file = join(dir, 'config.json')
  writeFileSync(file, JSON.stringify({ ...config, workers, runtimeDir: './run', admin: { path: './admin.sock' }, log: { level: 'warn' } }))
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'bin.js'), 'start', '-c', file], { stdio: 'ignore' })
  const exited = new Promise((done) => child.once('exit', done))
  const until = Date.now() + START_MS
  while (!(await isReady(join(dir, 'admin.sock')))) {
    if (child.exitCode !== null || Date.now() > until) throw new Error('The daemon does not start')
    await new Promise((next) => setTimeout(next, 100))
  }
  return { child, exited, dir, ports: Object.fromEntries(config.ports.map(({ name, port }) => [name, String(port)])) }
}

function isReady(socketPath) {
  return new Promise((done) => {
    const request = http.get({ socketPath, path: '/readyz' }, (response) => done(response.resume().statusCode === 200))
    request.on('error', () => done(false))
  })
}

/** Shows what is no pass. @returns a line for each check that failed */
function run([program, ...args], workers) {
  return new Promise((done) => {
    const started = Date.now()
    const child = spawn(process.execPath, [join(TOOLS, program), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk) => (text += chunk))
    child.once('close', (code, signal) => {
      const lines = text.split('\n').filter((line) => !/^(PASS|INFO|watching|$)/.test(line))
      const who = `${workers} worker${workers === 1 ? '' : 's'}`
      console.log(`${who}, ${((Date.now() - started) / 1000).toFixed(1)} s: ${lines.join('\n')}`)
      if (code === 0) return done([])
      const checks = lines.filter((line) => /^(FAIL|WARN)/.test(line))
      done((checks.length > 0 ? checks : [`ended with ${code ?? signal}`]).map((check) => `${who}, ${program} ${args.join(' ')}: ${check}`))
    })
  })
}
