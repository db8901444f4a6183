import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { folder, run } from './run-cli.ts'

/** A folder with a config, and where its control socket would be. */
function project(t: TestContext): { dir: string; socket: string } {
  const dir = folder(t)
  mkdirSync(join(dir, 'run'))
  writeFileSync(join(dir, 'echo.mjs'), '')
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ports: [{ protocol: 'tcp', port: 1, handler: './echo.mjs' }] }))
  return { dir, socket: join(dir, 'run', 'polyport.sock') }
}

/** A control socket that is not a daemon's. */
async function control(t: TestContext, socket: string, onRequest: RequestListener): Promise<void> {
  const server = createServer(onRequest).listen(socket)
  t.after(() => server.close())
  await once(server, 'listening')
}

/** A process that stands for a daemon's master. */
async function someProcess(t: TestContext): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  return child
}

describe('Control', { concurrency: 2 }, () => {
  for (const verb of ['stop', 'status']) {
    test(`${verb}: a control socket that cannot be asked is a sentence and exit code 1`, async (t) => {
      const { dir, socket } = project(t)
      symlinkSync('polyport.sock', socket)

      const { code, stderr } = await run(t, [verb], { cwd: dir })

      assert.equal(code, 1)
      assert.match(stderr, /^Cannot ask the daemon at .*polyport\.sock: .*ELOOP.*\n$/)
    })

    test(`${verb}: an answer that is a failure is a sentence and exit code 1`, async (t) => {
      const { dir, socket } = project(t)
      await control(t, socket, (_, response) => response.writeHead(503).end('busy\n'))

      const { code, stderr } = await run(t, [verb], { cwd: dir })

      assert.equal(code, 1)
      assert.equal(stderr, 'The daemon answers 503 to /api/status: busy\n')
    })
  }

  test('stop: a daemon that ends while it is told to has stopped', async (t) => {
    const { dir, socket } = project(t)
    const daemon = await someProcess(t)
    await control(t, socket, (request, response) => {
      if (request.method === 'GET') response.end(JSON.stringify({ name: 'shop', pid: daemon.pid }))
      else {
        request.socket.destroy()
        daemon.kill('SIGTERM')
      }
    })

    assert.deepEqual(await run(t, ['stop'], { cwd: dir }), { code: 0, stdout: `shop (process ${daemon.pid}) has stopped\n`, stderr: '' })
  })
})
