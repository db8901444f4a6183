import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Two folders up, from src/cli as well as from dist/cli.
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url))

/** The files of a new project by their path in it: the package's own examples and the config that they go with. */
export function templateFiles(): Map<string, string | Buffer> {
  const files = new Map<string, string | Buffer>([['config.json', config()]])
  const entries = readdirSync(join(PACKAGE, 'protocols'), { recursive: true, withFileTypes: true })
  for (const entry of entries.filter((found) => found.isFile() && found.name !== 'README.md')) {
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(PACKAGE.length), readFileSync(path))
  }
  return files
}

/** The example config, with its schema where the package will be. */
function config(): string {
  const text = readFileSync(join(PACKAGE, 'config.example.json'), 'utf8')
  const hasSchema = existsSync(join(PACKAGE, 'config.schema.json'))
  return text.replace(/^\s*"\$schema".*\n/m, hasSchema ? '  "$schema": "./node_modules/polyport/config.schema.json",\n' : '')
}
