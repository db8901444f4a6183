import { existsSync, readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import os from 'node:os'
import { resolve } from 'node:path'
import { VERSION } from '../version.ts'
import { formatColumns } from './columns.ts'
import { EXIT } from './exit-code.ts'

const PACKAGES = ['lmdb', 'ws', 'undici', 'pino', 'prom-client', 'zod']

/** What `--json` prints. */
interface Versions {
  readonly polyport: string
  readonly node: string
  readonly system: string
  readonly cpus: number
  /** What `-c` names, as an absolute path. */
  readonly config: { readonly file: string; readonly exists: boolean }
  readonly packages: Readonly<Record<string, string>>
}

/** `polyport info`. It does not read the config: it also serves where that is broken. */
export async function info(options: { readonly config: string; readonly json: boolean }): Promise<number> {
  const file = resolve(options.config)
  const versions: Versions = {
    polyport: VERSION,
    node: process.versions.node,
    system: `${os.type()} ${os.release()} ${process.arch}`,
    cpus: os.availableParallelism(),
    config: { file, exists: existsSync(file) },
    packages: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
  }
  process.stdout.write(options.json ? `${JSON.stringify(versions, null, 2)}\n` : `${forPeople(versions)}\n`)
  return EXIT.done
}

function forPeople({ packages, config, ...rest }: Versions): string {
  const place = config.exists ? config.file : `${config.file} (not there)`
  const rows = [...Object.entries({ ...rest, config: place }), ...Object.entries(packages)].map(([name, value]) => [name, String(value)])
  return formatColumns([{ title: 'WHAT' }, { title: 'VERSION' }], rows)
}

function versionOf(name: string): string {
  const file = findPackageJSON(name, import.meta.url)
  return file === undefined ? 'not installed' : (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
