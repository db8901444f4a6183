import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type ConfigInput, createDaemon, type Daemon } from 'polyport'
import { ROOT } from '../docs/blocks.ts'

/** `config.example.json` in this process, on ports that the system chooses. */
export class ExampleDaemon {
  readonly daemon: Daemon
  readonly #folder: string

  private constructor(daemon: Daemon, folder: string) {
    this.daemon = daemon
    this.#folder = folder
  }

  static async start(): Promise<ExampleDaemon> {
    const folder = mkdtempSync(join(tmpdir(), 'polyport-example-'))
    const text = readFileSync(join(ROOT, 'config.example.json'), 'utf8')
    const config = JSON.parse(text.replaceAll(/"port": \d+/g, '"port": 0').replaceAll('./protocols', join(ROOT, 'protocols'))) as ConfigInput
    return new ExampleDaemon(await createDaemon({ ...config, runtimeDir: folder, log: { level: 'silent' } }), folder)
  }

  port(name: string): number {
    return Number(
      this.daemon.ports
        .find((port) => port.name === name)
        ?.address.split(':')
        .at(-1),
    )
  }

  /** Connections that clients keep open do not hold it up. */
  async stop(): Promise<void> {
    const start = performance.now()
    await this.daemon.stop()
    rmSync(this.#folder, { recursive: true, force: true })
    assert.ok(performance.now() - start < 2000, `stop took ${performance.now() - start} ms`)
  }
}

/** Where a program is; undefined, and the test is skipped, when this machine does not have it. CI has all of them. */
export function program(name: string): string | undefined {
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(existsSync)
  assert.ok(path !== undefined || process.env['CI'] !== 'true', `${name} is missing: see .ci/run`)
  return path
}
