import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { makeFolder } from '../make-folder.ts'
import { EXIT, say, VerbError } from './exit-code.ts'
import { dependsOn, isModuleProject, supportFiles } from './init-project.ts'
import { exampleNames, templateFiles } from './init-templates.ts'

// So that what comes next stays in sight.
const MAX_KEPT = 10

/**
 * `polyport init`: a config and one handler per protocol, or a larger example. Config and handlers are written all or not at all; a package.json
 * or tsconfig.json that is there stays as it is.
 */
export async function init(options: { readonly folder: string; readonly force: boolean; readonly example?: string | undefined }): Promise<number> {
  const folder = resolve(options.folder)
  const { example } = options
  const known = exampleNames()
  if (example !== undefined && !known.includes(example)) {
    return say(`There is no example "${example}", expected ${known.map((name) => `"${name}"`).join(' or ')}`, EXIT.usage)
  }
  const templates = templateFiles(example)
  const taken = [...templates.keys()].filter((name) => existsSync(join(folder, name)))
  if (taken.length > 0 && !options.force) {
    const list = taken.map((name) => `  ${name}`).join('\n')
    return say(`Nothing was written, as these are there already in ${folder}:\n${list}\nRename them, or overwrite them with --force`, EXIT.failed)
  }
  const files = new Map([...templates, ...supportFiles(folder)])
  const names = [...files.keys()]
  const kept = entriesOf(folder).filter((entry) => !names.some((name) => name === entry || name.startsWith(`${entry}/`)))
  for (const [name, content] of files) writeInto(folder, name, content)
  process.stdout.write(`${written(folder, names, taken)}\n${keptText(kept)}\n${nextSteps(folder)}\n`)
  return EXIT.done
}

function writeInto(folder: string, name: string, content: string | Buffer): void {
  const path = join(folder, name)
  try {
    makeFolder(dirname(path))
    writeFileSync(path, content)
  } catch (error) {
    throw new VerbError(`Cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** What is in the folder, and in its `protocols/`. */
function entriesOf(folder: string): string[] {
  const namesIn = (path: string): string[] => (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(path) : [])
  return namesIn(folder)
    .flatMap((name) => (name === 'protocols' ? namesIn(join(folder, name)).map((inner) => `${name}/${inner}`) : [name]))
    .sort()
}

function written(folder: string, names: readonly string[], taken: readonly string[]): string {
  return [`Written to ${folder}:`, ...names.map((name) => `  ${name}${taken.includes(name) ? ' (in place of what was there)' : ''}`)].join('\n')
}

/** A line, for a folder that was not empty. */
function keptText(kept: readonly string[]): string {
  if (kept.length === 0) return ''
  const others = kept.length - MAX_KEPT
  return `Kept as it was: ${kept.slice(0, MAX_KEPT).join(', ')}${others > 0 ? ` and ${others} more` : ''}\n`
}

function nextSteps(folder: string): string {
  const steps: [string, string][] = []
  const from = relative(process.cwd(), folder)
  if (from !== '') steps.push([`cd ${from}`, ''])
  if (!existsSync(join(folder, 'node_modules', 'polyport')))
    steps.push([dependsOn(folder, 'polyport') ? 'npm install' : 'npm install polyport', 'bring the packages'])
  if (!dependsOn(folder, '@types/node')) steps.push(['npm install --save-dev typescript @types/node', 'for editors and tsc'])
  if (!isModuleProject(folder)) steps.push(['npm pkg set type=module', 'for handlers outside protocols/'])
  steps.push(['npx polyport check', 'look for mistakes'])
  steps.push(['npx polyport start', 'serve; Ctrl-C stops it'])
  const width = Math.max(...steps.map(([command]) => command.length))
  return ['Next:', ...steps.map(([command, why]) => (why === '' ? `  ${command}` : `  ${command.padEnd(width)}  # ${why}`))].join('\n')
}
