import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { Config } from '../../src/config/schema.ts'
import { createLog } from '../../src/log/log.ts'
import { Watch } from '../../src/master/watch.ts'
import { BIN, folder } from '../cli/run-cli.ts'
import { becomes, eventually } from '../reliability/process-figures.ts'
import { temporaryFolder } from '../shared/shared-memory.ts'

const log = createLog({ level: 'fatal', format: 'json', name: 'test', role: 'test' })
// How far the first has come when something else is asked for: with its import, its watcher, or all of it.
const TURNS = Array.from({ length: 20 }, (_, turns) => turns)

function configsOf(t: TestContext): { folder: string; config: Config }[] {
  const root = temporaryFolder(t)
  return ['a', 'b'].map((name) => {
    const folder = join(root, name)
    mkdirSync(folder)
    const ports = [{ protocol: 'tcp', port: 0, handler: join(folder, 'h.ts') }]
    return { folder, config: resolveConfig({ ports, watch: { enabled: true, paths: [folder], debounceMs: 0 } }) }
  })
}

function watchers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'FSEventWrap').length
}

async function pass(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('Watch', () => {
  test('does not take the lines of the daemon itself, nor its tasks, for saved files', { timeout: 60_000 }, async (t) => {
    const dir = folder(t)
    const handler = `import { TcpHandler } from 'polyport'\nexport default class Line extends TcpHandler { onReceive() {} }\n`
    writeFileSync(join(dir, 'h.mjs'), handler)
    writeFileSync(join(dir, 't.mjs'), `import { Task } from 'polyport'\nexport class Nothing extends Task { handle() {} }\n`)
    const tasks = { modules: ['./t.mjs'], dataDir: './queue' }
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ ports: [{ protocol: 'tcp', port: 0, handler: './h.mjs' }], tasks, log: { format: 'json' } }))
    const output = openSync(join(dir, 'out.log'), 'a')
    const child = spawn(process.execPath, [BIN, 'start', '--watch'], { cwd: dir, stdio: ['ignore', output, output] })
    closeSync(output)
    const exit = once(child, 'exit')
    t.after(() => {
      child.kill('SIGTERM')
      return exit
    })
    const linesOf = (message: string): string[] =>
      readFileSync(join(dir, 'out.log'), 'utf8')
        .split('\n')
        .filter((line) => line.includes(message))

    await eventually('it watches', () => linesOf('Watching').length === 1)
    for (const reloads of [1, 2]) {
      writeFileSync(join(dir, 'h.mjs'), `${handler}// ${reloads}\n`)
      await eventually('it has reloaded', () => linesOf('"Reloaded"').length >= reloads)
    }

    assert.deepEqual(
      linesOf('Saved').filter((line) => !line.includes('h.mjs')),
      [],
    )
  })

  test('follow() while another is under way takes its place: both resolve, and one watcher is left', { timeout: 30_000 }, async (t) => {
    const [one, other] = configsOf(t)
    assert.ok(one !== undefined && other !== undefined)
    let reloads = 0
    for (const turns of TURNS) {
      const watch = new Watch({ log, reload: async () => void reloads++ })
      const first = watch.follow(one.config)
      await pass(turns)
      await Promise.all([first, watch.follow(other.config)])
      const before = reloads
      writeFileSync(join(other.folder, 'h.ts'), String(turns))
      await eventually('it reloads', () => reloads > before)
      await watch.stop()

      await becomes(0, watchers)
    }
  })

  test('stop() while follow() is under way leaves no watcher, and follow() resolves', { timeout: 30_000 }, async (t) => {
    const [one] = configsOf(t)
    assert.ok(one !== undefined)
    for (const turns of TURNS) {
      const watch = new Watch({ log, reload: async () => {} })
      const following = watch.follow(one.config)
      await pass(turns)
      await watch.stop()
      await following

      await becomes(0, watchers)
    }
  })
})
