import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { Config } from '../../src/config/schema.ts'
import { createLog } from '../../src/log/log.ts'
import { Watch } from '../../src/master/watch.ts'
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
