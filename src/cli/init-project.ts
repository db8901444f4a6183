import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { VERSION } from '../version.ts'

const TYPESCRIPT = '^7.0.2'
const NODE_TYPES = '^26.6.6'

/** What makes a folder a project that type-checks, as far as it is not there. */
export function supportFiles(folder: string): Map<string, string> {
  const files = new Map<string, string>()
  if (!existsSync(join(folder, 'package.json'))) files.set('package.json', packageJson(folder))
  // npm init writes "type": "commonjs", with which Node refuses the `import` in a .ts file.
  else if (!isModuleProject(folder)) files.set('protocols/package.json', json({ type: 'module' }))
  if (!existsSync(join(folder, 'tsconfig.json'))) files.set('tsconfig.json', json(TSCONFIG))
  return files
}

/** Whether Node takes the .js and .ts files of this folder for ES modules. */
export function isModuleProject(folder: string): boolean {
  return readPackage(folder)['type'] === 'module'
}

/** Whether npm brings this package to the project. */
export function dependsOn(folder: string, name: string): boolean {
  const { dependencies = {}, devDependencies = {} } = readPackage(folder) as Readonly<Record<string, object>>
  return name in { ...dependencies, ...devDependencies }
}

function readPackage(folder: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>
  } catch {
    // None, or not one that npm can read either: then it says nothing.
    return {}
  }
}

function packageJson(folder: string): string {
  return json({
    name: packageName(folder),
    version: '0.1.0',
    private: true,
    type: 'module',
    // exec: a shell between npm and the daemon dies of a signal by itself, and what it leaves is an exit code that is not the daemon's.
    scripts: { start: 'exec polyport start', check: 'polyport check && tsc' },
    dependencies: { polyport: `^${VERSION}` },
    devDependencies: { '@types/node': NODE_TYPES, typescript: TYPESCRIPT },
  })
}

/** The folder's name as npm allows it. */
function packageName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '')
  return name === '' || name === 'polyport' ? 'my-daemon' : name
}

const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    skipLibCheck: true,
    noImplicitOverride: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    noEmit: true,
  },
  exclude: ['node_modules', 'protocols/public'],
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
