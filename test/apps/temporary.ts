import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type ConfigInput, createDaemon, type Daemon } from 'polyport'

// Inside the repository, so that the files find the packages.
const FOLDER = join(import.meta.dirname, '..', '.tmp')

/** Writes files in a folder of their own, which goes when the test ends. */
export function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  mkdirSync(FOLDER, { recursive: true })
  const dir = mkdtempSync(join(FOLDER, 'apps-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(dir, name, '..'), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  return dir
}

type PortInput = Partial<ConfigInput['ports'][number]>

/** The same as `serveFiles`, with the files in a folder that is there already. */
export async function serveFolder(t: TestContext, dir: string, port: PortInput, config: Partial<ConfigInput> = {}): Promise<Daemon> {
  const text = JSON.stringify({ log: { level: 'silent' }, maxWaitSeconds: 1, ...config, ports: [{ protocol: 'http', port: 0, ...port }] })
  writeFileSync(join(dir, 'config.json'), text)
  const daemon = await createDaemon(join(dir, 'config.json'))
  t.after(() => daemon.stop())
  return daemon
}

/** A daemon with one http port, whose handler is the first of the files. Stopped when the test ends. */
export async function serveFiles(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  port: PortInput = {},
  config: Partial<ConfigInput> = {},
): Promise<Daemon> {
  return serveFolder(t, folderOf(t, files), { handler: `./${Object.keys(files)[0]}`, ...port }, config)
}
