import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import os from 'node:os'
import { VERSION } from '../version.ts'
import { formatColumns } from './columns.ts'
import { EXIT } from './exit-code.ts'

const PACKAGES = ['lmdb', 'ws', 'undici', 'pino', 'prom-client', 'zod']

/** `polyport info`. */
export async function info(options: { readonly json: boolean }): Promise<number> {
  const versions = {
    polyport: VERSION,
    node: process.versions.node,
    system: `${os.type()} ${os.release()} ${process.arch}`,
    cpus: os.availableParallelism(),
    packages: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
  }
  process.stdout.write(options.json ? `${JSON.stringify(versions, null, 2)}\n` : `${forPeople(versions)}\n`)
  return EXIT.done
}

function forPeople({ packages, ...rest }: { packages: Readonly<Record<string, string>> } & Readonly<Record<string, unknown>>): string {
  const rows = [...Object.entries(rest), ...Object.entries(packages)].map(([name, version]) => [name, String(version)])
  return formatColumns([{ title: 'WHAT' }, { title: 'VERSION' }], rows)
}

function versionOf(name: string): string {
  const file = findPackageJSON(name, import.meta.url)
  return file === undefined ? 'not installed' : (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
