import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, launch, ROOT } from '../cli/run-cli.ts'
import { Client } from '../daemon-process.ts'
import { answers, eventually } from '../reliability/process-figures.ts'

const ECHO = `import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler { onReceive(connection, message) { connection.send(process.pid + ' ' + message) } }
`
const CONFIG = { name: 'shop', ports: [{ name: 'line', protocol: 'tcp', path: './line.sock', handler: './echo.mjs' }] }
const hasSupervisor = spawnSync('supervisord', ['--version']).error === undefined
const hasNotify = spawnSync('systemd-notify', ['--version']).error === undefined && spawnSync('python3', ['--version']).error === undefined

test('supervisord runs it by deploy/supervisord.conf: start, reload without a disconnect, restart after a crash, stop', { skip: !hasSupervisor }, async (t) => {
  const dir = folder(t)
  writeFileSync(join(dir, 'echo.mjs'), ECHO)
  writeFileSync(join(dir, 'config.json'), JSON.stringify(CONFIG))
  const program = readFileSync(join(ROOT, 'deploy', 'supervisord.conf'), 'utf8')
    .replace('command=node node_modules/polyport/dist/bin.js', `command=${process.execPath} ${join(ROOT, 'dist', 'bin.js')}`)
    .replace('directory=/srv/app', `directory=${dir}`)
    .replace('user=www-data\n', '')
    .replace('/var/log/supervisor/polyport.log', join(dir, 'out.log'))
  const file = join(dir, 'supervisord.conf')
  const head = `[supervisord]\nnodaemon=true\nlogfile=${dir}/supervisord.log\npidfile=${dir}/supervisord.pid\n[unix_http_server]\nfile=${dir}/ctl.sock\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n[supervisorctl]\nserverurl=unix://${dir}/ctl.sock\n`
  writeFileSync(file, head + program)
  const supervisor = spawn('supervisord', ['-c', file], { stdio: 'ignore' })
  const ended = once(supervisor, 'exit')
  t.after(async () => {
    supervisor.kill('SIGTERM')
    await ended
  })
  const control = (...args: string[]): string => spawnSync('supervisorctl', ['-c', file, ...args], { encoding: 'utf8' }).stdout
  await eventually('it runs', async () => control('status', 'polyport').includes('RUNNING') && (await answers({ path: join(dir, 'line.sock') })))
  const client = await Client.open({ path: join(dir, 'line.sock') })
  t.after(() => client.socket.destroy())
  client.write('a\r\n')
  const before = Number.parseInt(await client.until(' a\r\n'), 10)
  control('signal', 'HUP', 'polyport')
  await eventually('another worker answers', async () => {
    const from = client.received.length
    client.write('b\r\n')
    await client.until(from + 4)
    return Number.parseInt(client.text.slice(from), 10) !== before
  })
  const pidFile = join(dir, 'run', 'polyport.pid')
  const master = (): number => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0)
  const pid = master()
  process.kill(pid, 'SIGKILL')
  await eventually('it is started again', () => control('status', 'polyport').includes('RUNNING') && master() > 0 && master() !== pid)
  assert.match(control('stop', 'polyport'), /stopped/)
  assert.match(control('status', 'polyport'), /STOPPED/)
})

test('systemd is told READY, RELOADING, STOPPING and WATCHDOG', { skip: !hasNotify }, async (t) => {
  const dir = folder(t)
  writeFileSync(join(dir, 'echo.mjs'), ECHO)
  writeFileSync(join(dir, 'config.json'), JSON.stringify(CONFIG))
  const path = join(dir, 'notify.sock')
  const listener = spawn('python3', [
    '-uc',
    `import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint('bound')\nwhile True: print(s.recv(4096).decode().replace(chr(10),' '))`,
    path,
  ])
  t.after(() => listener.kill('SIGKILL'))
  let said = ''
  listener.stdout.on('data', (chunk: Buffer) => {
    said += chunk
  })
  await eventually('somebody listens', () => said.includes('bound'))
  const { child, ended } = launch(t, ['start'], { cwd: dir, env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' } })
  await eventually('READY', () => said.includes('READY=1'))
  assert.match(said, new RegExp(`MAINPID=${child.pid}`))
  await eventually('WATCHDOG', () => said.includes('WATCHDOG=1'))
  child.kill('SIGHUP')
  await eventually('RELOADING, then READY', () => /RELOADING=1 MONOTONIC_USEC=\d+[\s\S]*READY=1/.test(said))
  child.kill('SIGTERM')
  assert.equal((await ended).code, 0)
  await eventually('STOPPING', () => said.includes('STOPPING=1'))
})

test('deploy/polyport.service is a unit that systemd accepts', { skip: spawnSync('systemd-analyze', ['--version']).error !== undefined }, (t) => {
  const dir = folder(t)
  const unit = readFileSync(join(ROOT, 'deploy', 'polyport.service'), 'utf8').replace('/usr/bin/node', process.execPath)
  writeFileSync(join(dir, 'polyport.service'), unit)
  const out = execFileSync('systemd-analyze', ['verify', '--man=no', join(dir, 'polyport.service')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  assert.equal(out, '')
})
