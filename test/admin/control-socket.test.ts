import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { adminServer, ask, startAdmin } from './fixtures.ts'

async function socketPath(context: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'polyport-admin-'))
  context.after(() => rm(dir, { recursive: true, force: true }))
  return join(dir, 'polyport.sock')
}

describe('AdminServer on a unix socket', () => {
  test('has mode 0600, also under an open umask, and leaves the umask as it was', async (context) => {
    const path = await socketPath(context)
    const before = process.umask(0)
    context.after(() => process.umask(before))

    await startAdmin(context, { trusted: true }, { path })

    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.equal(process.umask(0), 0)
  })

  test('the control socket needs no token and no Host of its own to stop the daemon', async (context) => {
    const stopped = Promise.withResolvers<void>()
    const target = await startAdmin(context, { trusted: true, stop: stopped.resolve }, { path: await socketPath(context) })

    assert.equal((await ask(target, '/api/status', { headers: { host: 'polyport' } })).status, 200)
    assert.equal((await ask(target, '/api/stop', { method: 'POST' })).status, 202)
    await stopped.promise
  })

  test('a socket of the admin port changes nothing without a token', async (context) => {
    const target = await startAdmin(context, { stop: () => assert.fail('stopped') }, { path: await socketPath(context) })

    assert.equal((await ask(target, '/metrics')).status, 200)
    assert.equal((await ask(target, '/api/stop', { method: 'POST' })).status, 403)
  })

  test('start() replaces the socket of a process that was killed', async (context) => {
    const path = await socketPath(context)
    const child = spawn(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('open'))`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.ok((await stat(path)).isSocket())

    const target = await startAdmin(context, { trusted: true }, { path })

    assert.equal((await ask(target, '/healthz')).status, 200)
  })

  test('start() refuses a socket that somebody listens on, and leaves it alone', async (context) => {
    const path = await socketPath(context)
    const target = await startAdmin(context, { trusted: true }, { path })

    await assert.rejects(adminServer({ trusted: true }).start({ path }), {
      code: 'POLYPORT_BIND',
      message: /^Cannot open the control socket on .*: another process listens there/,
    })
    assert.equal((await ask(target, '/healthz')).status, 200)
  })

  test('start() never deletes a file that is no socket', async (context) => {
    const path = await socketPath(context)
    await writeFile(path, 'mine')

    await assert.rejects(adminServer({ trusted: true }).start({ path }), { code: 'POLYPORT_BIND', message: /no socket/ })
    assert.equal(await readFile(path, 'utf8'), 'mine')
  })

  test('start() names what is wrong with a path: too long, or in no folder', async (context) => {
    const path = await socketPath(context)

    await assert.rejects(adminServer({ trusted: true }).start({ path: path + 'x'.repeat(108) }), { code: 'POLYPORT_BIND', message: /longer than 107 bytes/ })
    await assert.rejects(adminServer({ trusted: true }).start({ path: join(path, 'none', 'x.sock') }), { code: 'POLYPORT_BIND', message: /folder/ })
  })

  test('stop() removes the socket', async (context) => {
    const path = await socketPath(context)
    const server = adminServer({ trusted: true })
    await server.start({ path })
    assert.equal(server.address, path)

    await server.stop()

    await assert.rejects(stat(path), { code: 'ENOENT' })
  })
})
