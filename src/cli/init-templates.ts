import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Two folders up, from src/cli as well as from dist/cli.
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url))
const PROTOCOLS = join(PACKAGE, 'protocols')

/** What `--example` can name: folders of `protocols/` that have a config of their own. */
export function exampleNames(): string[] {
  const folders = readdirSync(PROTOCOLS, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return folders.map(({ name }) => name).filter((name) => existsSync(join(PROTOCOLS, name, 'config.json')))
}

/**
 * The files of a new project by their path in it: the package's own examples and the config that they go with.
 * @param example one of `exampleNames()`; a handler for each protocol when absent
 */
export function templateFiles(example?: string): Map<string, string | Buffer> {
  if (example !== undefined) return exampleFiles(join(PROTOCOLS, example))
  const others = exampleNames().map((name) => join(PROTOCOLS, name))
  const files = new Map<string, string | Buffer>([['config.json', config(join(PACKAGE, 'config.example.json'))]])
  for (const path of filesIn(PROTOCOLS).filter((file) => !others.some((folder) => file.startsWith(`${folder}/`)))) {
    files.set(path.slice(PACKAGE.length), readFileSync(path))
  }
  return files
}

/** Its config comes to the top, and what that names into `protocols/`. */
function exampleFiles(folder: string): Map<string, string | Buffer> {
  const text = config(join(folder, 'config.json')).replaceAll(/"\.\/([\w-]+\.ts)"/g, '"./protocols/$1"')
  const code = filesIn(folder).filter((file) => file.endsWith('.ts'))
  return new Map<string, string | Buffer>([
    ['config.json', text],
    ...code.map((path) => [`protocols/${path.slice(folder.length + 1)}`, readFileSync(path)] as const),
  ])
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((found) => found.isFile() && found.name !== 'README.md').map((entry) => join(entry.parentPath, entry.name))
}

/** A config with its schema where the package will be. */
function config(file: string): string {
  const text = readFileSync(file, 'utf8')
  const hasSchema = existsSync(join(PACKAGE, 'config.schema.json'))
  return text.replace(/^\s*"\$schema".*\n/m, hasSchema ? '  "$schema": "./node_modules/polyport/config.schema.json",\n' : '')
}
