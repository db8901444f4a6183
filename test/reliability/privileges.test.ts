import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { sharedMemoryDir } from '../../src/shared/memory-folder.ts'
import { DaemonProcess } from '../daemon-process.ts'

const ROOT_ONLY = process.getuid?.() === 0 ? {} : { skip: 'only root can become somebody else' }
const HANDLER = {
  'who.js': `
import { HttpHandler, Task } from 'polyport'
export class Note extends Task { handle(text) { this.daemon.counter(text).add(1) } }
export default class Who extends HttpHandler {
  async onRequest(request, response) {
    if (request.url === '/task') return response.end(String(await this.daemon.tasks.deliver(new Note('noted')) > 0))
    this.daemon.tables.seen.incr('all', 'times')
    this.daemon.tables.kept.incr('all', 'times')
    response.end(JSON.stringify({ pid: process.pid, seen: this.daemon.tables.seen.get('all', 'times') }))
  }
}`,
}

/** The user, the group and the further groups of a process. */
function identity(pid: number): { uid: string; gid: string; groups: string } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? ''
  return { uid: field('Uid'), gid: field('Gid'), groups: field('Groups') }
}

/** A port below 1024 that nobody has. */
async function privilegedPort(): Promise<number> {
  for (let port = 1023; port > 600; port--) {
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)))
    await new Promise((resolve) => server.close(resolve))
    if (isFree) return port
  }
  throw new Error('No port below 1024 is free')
}

function config(port: number, more: object) {
  const tables = { seen: { size: 10, columns: { times: { type: 'int' } } }, kept: { size: 10, columns: { times: { type: 'int' } }, persist: true } }
  return { ports: [{ name: 'web', protocol: 'http', port, handler: './who.js' }], tables, tasks: { modules: ['./who.js'], dataDir: './queue' }, ...more }
}

describe('user and group', () => {
  test('workers have them and no further groups, on a port below 1024; tables, reload and heap snapshots work', ROOT_ONLY, async (t) => {
    const port = await privilegedPort()
    const prepare = (dir: string): void => chmodSync(dir, 0o755)
    const daemon = await DaemonProcess.start(t, config(port, { user: 'nobody', group: 'nogroup' }), { files: HANDLER, prepare })
    const ask = async () => (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as { pid: number; seen: number }

    const before = await ask()
    const delivered = await (await fetch(`http://127.0.0.1:${port}/task`)).text()
    const { status } = await daemon.request('POST', '/api/reload')
    const after = await ask()
    const heap = await daemon.request('POST', '/api/heap?slot=0')

    assert.equal(delivered, 'true')
    // Without it, all that a task worker had when it was killed would be run alone.
    const marks = readdirSync(sharedMemoryDir(join(daemon.dir, 'run'))).filter((name) => name.startsWith('running-'))
    assert.ok(marks.length > 0, 'no task worker could mark which tasks run')
    assert.equal(status, 200)
    assert.deepEqual([before.seen, after.seen], [1, 2])
    assert.notEqual(after.pid, before.pid)
    const nobody = /^nobody:[^:]*:(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1]
    const nogroup = /^nogroup:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8'))?.[1]
    const ids = (id: string | undefined): string => Array(4).fill(id).join('\t')
    assert.deepEqual(identity(after.pid), { uid: ids(nobody), gid: ids(nogroup), groups: '' })
    assert.equal(identity(daemon.pid).uid, ids('0'))
    assert.equal(heap.status, 200, heap.body)
    assert.ok(existsSync((JSON.parse(heap.body) as { file: string }).file))
  })

  test('a user that the system does not know is told, and nothing is opened', ROOT_ONLY, async (t) => {
    const daemon = DaemonProcess.spawn(t, config(0, { user: 'no-such-user' }), { files: HANDLER })

    assert.equal(await daemon.exited, 2)
    assert.match(daemon.lines.join('\n'), /config\.json.*: user: this system has no user "no-such-user"/)
  })

  test('root without a user is warned', ROOT_ONLY, async (t) => {
    const daemon = await DaemonProcess.start(t, config(0, {}), { files: HANDLER })

    assert.ok(await daemon.line(/Handlers run as root/))
  })
})
