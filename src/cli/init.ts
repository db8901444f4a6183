import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { EXIT, say, VerbError } from './exit-code.ts'
import { dependsOn, isModuleProject, supportFiles } from './init-project.ts'
import { exampleNames, templateFiles } from './init-templates.ts'

/**
 * `polyport init`: a config and one handler per protocol, or a larger example. Config and handlers are written all or not at all; a package.json
 * or tsconfig.json that is there stays as it is.
 */
export async function init(options: { readonly folder: string; readonly force: boolean; readonly example?: string | undefined }): Promise<number> {
  const folder = resolve(options.folder)
  const { example } = options
  const known = exampleNames()
  if (example !== undefined && !known.includes(example)) {
    throw new VerbError(`There is no example "${example}", expected ${known.map((name) => `"${name}"`).join(' or ')}`)
  }
  const templates = templateFiles(example)
  const taken = [...templates.keys()].filter((name) => existsSync(join(folder, name)))
  if (taken.length > 0 && !options.force) {
    const list = taken.map((name) => `  ${name}`).join('\n')
    return say(`Nothing was written, as these are there already in ${folder}:\n${list}\nRename them, or overwrite them with --force`, EXIT.failed)
  }
  const files = new Map([...templates, ...supportFiles(folder)])
  for (const [name, content] of files) writeInto(folder, name, content)
  process.stdout.write(`${written(folder, [...files.keys()])}\n\n${nextSteps(folder)}\n`)
  return EXIT.done
}

function writeInto(folder: string, name: string, content: string | Buffer): void {
  const path = join(folder, name)
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  } catch (error) {
    throw new VerbError(`Cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function written(folder: string, names: readonly string[]): string {
  return [`Written to ${folder}:`, ...names.map((name) => `  ${name}`)].join('\n')
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
