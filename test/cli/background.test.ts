import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Client, childrenOf, isRunning } from '../daemon-process.ts'
import { eventually } from '../reliability/process-figures.ts'
import { folder, launch, run } from './run-cli.ts'

const ECHO = (version: string): string => `import { TcpHandler } from 'polyport'
import { suffix } from './suffix.mjs'
console.log('loaded ${version}')
export default class Echo extends TcpHandler {
  onReceive(connection, message) { connection.send('${version} ' + message + suffix); if (message.toString() === 'throw') throw new Error('as asked') }
}
`

/** A folder with a config whose daemon is gone when the test ends. */
function project(t: TestContext, config: object = {}): string {
  // Before the folder goes, and with it the pid file: hooks run in their order.
  t.after(() => {
    const pid = pidOf(dir)
    if (pid !== undefined && existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL')
  })
  const dir = folder(t)
  writeFileSync(join(dir, 'echo.mjs'), ECHO('v1'))
  writeFileSync(join(dir, 'suffix.mjs'), "export const suffix = ''\n")
  const port = { name: 'line', protocol: 'tcp', path: './line.sock', handler: './echo.mjs' }
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ name: 'shop', ports: [port], ...config }))
  return dir
}

function pidOf(dir: string): number | undefined {
  const file = join(dir, 'run', 'polyport.pid')
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined
}

async function answer(client: Client, text: string): Promise<string> {
  const before = client.received.length
  client.write(`${text}\r\n`)
  await client.until(before + text.length + 5)
  return client.text.slice(before).trim()
}

describe('polyport start -d', () => {
  test('returns when every port listens; stop ends what it has started', async (t) => {
    const dir = project(t)
    const started = await run(t, ['start', '-d', '-x', '1.10'], { cwd: dir })
    const pid = pidOf(dir)

    assert.deepEqual({ code: started.code, stderr: started.stderr }, { code: 0, stderr: '' })
    assert.match(started.stdout, new RegExp(`^shop runs as process ${pid}, and logs to .*/run/polyport.log\n$`))
    const client = await Client.open({ path: join(dir, 'line.sock') })
    assert.equal(await answer(client, 'hi'), 'v1 hi')
    client.socket.destroy()
    assert.match(readFileSync(join(dir, 'run', 'polyport.log'), 'utf8'), /"msg":"Ready"/)
    assert.match((await run(t, ['status'], { cwd: dir })).stdout, /1\.10/)

    const again = await run(t, ['start', '-d'], { cwd: dir })
    assert.equal(again.code, 1)
    assert.match(again.stderr, new RegExp(`runs already as process ${pid}`))

    assert.equal((await run(t, ['stop'], { cwd: dir })).code, 0)
    assert.ok(!isRunning(pid))
  })

  test('gives the error and the exit code of a daemon that cannot start, whatever its log held before', async (t) => {
    const dir = project(t)
    mkdirSync(join(dir, 'run'))
    // More bytes than characters.
    writeFileSync(join(dir, 'run', 'polyport.log'), `${'€'.repeat(5000)}\n`)
    writeFileSync(join(dir, 'echo.mjs'), 'export default class {')
    const broken = await run(t, ['start', '-d'], { cwd: dir })
    assert.equal(broken.code, 2)
    assert.match(broken.stderr, /echo\.mjs/)
    assert.doesNotMatch(broken.stderr, /€/)

    writeFileSync(join(dir, 'echo.mjs'), ECHO('v1'))
    writeFileSync(join(dir, 'line.sock'), '')
    const taken = await run(t, ['start', '-d'], { cwd: dir })
    assert.equal(taken.code, 1)
    assert.match(taken.stderr, /there is a file that is no socket/)
  })

  test('SIGHUP reopens the log, for the master, the workers and what they print', async (t) => {
    const dir = project(t)
    const log = join(dir, 'run', 'polyport.log')
    assert.equal((await run(t, ['start', '-d'], { cwd: dir })).code, 0)
    renameSync(log, `${log}.1`)
    process.kill(pidOf(dir) ?? 0, 'SIGHUP')
    await eventually('the new log says that it has reloaded', () => existsSync(log) && /"msg":"Reloaded"/.test(readFileSync(log, 'utf8')))
    assert.match(readFileSync(log, 'utf8'), /^loaded v1$/m)
    assert.equal((await run(t, ['stop'], { cwd: dir })).code, 0)
    assert.match(readFileSync(log, 'utf8'), /"msg":"Stopped"/)
    assert.doesNotMatch(readFileSync(`${log}.1`, 'utf8'), /"msg":"(Reloaded|Stopped)"/)
  })
})

describe('the log of a daemon in the background', () => {
  test('SIGHUP reopens it for workers that stay, too, as the reload fails', async (t) => {
    const dir = project(t)
    const log = join(dir, 'run', 'polyport.log')
    assert.equal((await run(t, ['start', '-d'], { cwd: dir })).code, 0)
    const client = await Client.open({ path: join(dir, 'line.sock') })
    t.after(() => client.socket.destroy())
    renameSync(log, `${log}.1`)
    writeFileSync(join(dir, 'echo.mjs'), 'export default class {')
    process.kill(pidOf(dir) ?? 0, 'SIGHUP')
    await eventually('the reload has failed', () => existsSync(log) && /Reload failed/.test(readFileSync(log, 'utf8')))
    assert.equal(await answer(client, 'throw'), 'v1 throw')
    await eventually('the worker writes there, too', () => /Handler failed in onReceive/.test(readFileSync(log, 'utf8')))
  })

  test('its folder may go: the daemon does not', async (t) => {
    const dir = project(t)
    assert.equal((await run(t, ['start', '-d'], { cwd: dir })).code, 0)
    const pid = pidOf(dir) ?? 0
    t.after(() => process.kill(pid, 'SIGKILL'))
    const [worker] = childrenOf(pid)
    rmSync(join(dir, 'run'), { recursive: true })
    process.kill(pid, 'SIGHUP')
    await eventually('another worker serves', () => !childrenOf(pid).includes(worker ?? 0))
    const client = await Client.open({ path: join(dir, 'line.sock') })
    assert.equal(await answer(client, 'hi'), 'v1 hi')
    client.socket.destroy()
  })
})

describe('polyport reload, restart, heap', () => {
  test('reload puts new code to work; what is broken is exit code 1 with file and reason', async (t) => {
    const dir = project(t)
    assert.equal((await run(t, ['reload'], { cwd: dir })).code, 3)
    await run(t, ['start', '-d'], { cwd: dir })
    const client = await Client.open({ path: join(dir, 'line.sock') })
    t.after(() => client.socket.destroy())
    writeFileSync(join(dir, 'echo.mjs'), ECHO('v2'))
    const done = await run(t, ['reload'], { cwd: dir })
    assert.equal(done.code, 0, done.stderr)
    assert.match(done.stdout, /^shop \(process \d+\) has reloaded in \d\.\d\d s\n$/)
    assert.equal(await answer(client, 'hi'), 'v2 hi')

    writeFileSync(join(dir, 'echo.mjs'), 'export default 7')
    const broken = await run(t, ['reload'], { cwd: dir })
    assert.equal(broken.code, 1)
    assert.match(broken.stderr, /echo\.mjs.*port "line"/)
    assert.equal(await answer(client, 'ho'), 'v2 ho')
  })

  test('restart starts what does not run, and replaces what does', async (t) => {
    const dir = project(t)
    assert.equal((await run(t, ['restart', '-d'], { cwd: dir })).code, 0)
    const first = pidOf(dir)
    assert.equal((await run(t, ['restart', '-d'], { cwd: dir })).code, 0)
    assert.notEqual(pidOf(dir), first)
    assert.ok(!isRunning(first))
  })

  test('heap writes a snapshot of one worker and prints its path', async (t) => {
    const dir = project(t)
    await run(t, ['start', '-d'], { cwd: dir })
    const { code, stdout } = await run(t, ['heap', '0'], { cwd: dir })
    assert.equal(code, 0)
    assert.ok(JSON.parse(readFileSync(stdout.trim(), 'utf8')).snapshot.meta)
    const missing = await run(t, ['heap', '5'], { cwd: dir })
    assert.deepEqual([missing.code, missing.stderr], [1, 'Cannot write a heap snapshot: there is no worker 5 that is ready\n'])
    const none = await run(t, ['heap', 'x'], { cwd: dir })
    assert.deepEqual([none.code, none.stderr], [2, 'Cannot write a heap snapshot: expected the number of a worker\n'])
  })
})

describe('polyport start --watch', () => {
  test('a handler in another folder than the config is watched, too', async (t) => {
    const dir = project(t)
    const config = { name: 'shop', runtimeDir: '../run', ports: [{ name: 'line', protocol: 'tcp', path: '../line.sock', handler: '../echo.mjs' }] }
    mkdirSync(join(dir, 'config'))
    writeFileSync(join(dir, 'config', 'daemon.json'), JSON.stringify(config))
    const { child, ended } = launch(t, ['start', '--watch', '-c', 'config/daemon.json'], { cwd: dir })
    let log = ''
    child.stdout.on('data', (chunk: Buffer) => {
      log += chunk
    })
    await eventually('it watches', () => log.includes('"msg":"Watching'))
    writeFileSync(join(dir, 'echo.mjs'), ECHO('v2'))
    const client = await Client.open({ path: join(dir, 'line.sock') })
    t.after(() => client.socket.destroy())
    await eventually('the new code answers', async () => (await answer(client, 'hi')) === 'v2 hi')
    child.kill('SIGINT')
    await ended
  })

  test('a saved handler, or a file that it imports, is live within a second; a broken one leaves the old code running', async (t) => {
    const dir = project(t)
    const { child, ended } = launch(t, ['start', '--watch'], { cwd: dir })
    let log = ''
    child.stdout.on('data', (chunk: Buffer) => {
      log += chunk
    })
    await eventually('it watches', () => log.includes('"msg":"Watching'))
    const client = await Client.open({ path: join(dir, 'line.sock') })
    t.after(() => client.socket.destroy())
    const becomes = async (expected: string): Promise<number> => {
      const start = performance.now()
      await eventually(`the answer is ${expected}`, async () => (await answer(client, 'hi')) === expected)
      return performance.now() - start
    }
    await becomes('v1 hi')
    writeFileSync(join(dir, 'echo.mjs'), ECHO('v2'))
    const handlerMs = await becomes('v2 hi')
    writeFileSync(join(dir, 'suffix.mjs'), "export const suffix = '!'\n")
    const importMs = await becomes('v2 hi!')

    writeFileSync(join(dir, 'echo.mjs'), 'export default class {')
    await eventually('it says what is wrong', () => /Reload failed.*echo\.mjs/.test(log) || /echo\.mjs[^\n]*Reload failed/.test(log))
    assert.equal(await answer(client, 'hi'), 'v2 hi!')
    writeFileSync(join(dir, 'echo.mjs'), ECHO('v3'))
    await becomes('v3 hi!')

    t.diagnostic(`live after ${handlerMs.toFixed(0)} ms, an imported file after ${importMs.toFixed(0)} ms`)
    assert.ok(!client.socket.destroyed)
    assert.equal(childrenOf(child.pid ?? 0).length >= 1, true)
    child.kill('SIGINT')
    await ended
  })
})
