import { fileURLToPath, pathToFileURL } from 'node:url'
import { existsSync } from '../node-fs.ts'
import { valueText } from '../value-text.ts'
import type { Mistake } from './mistake.ts'
import { findSyntaxError, placeIn, type SourcePlace } from './syntax-place.ts'

/** What to write instead of the TypeScript that Node cannot strip, by a word of its message. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/enum/, 'write "const Color = { Red: 0 } as const" instead of an enum'],
  [/parameter property/, 'declare the field in the class and assign it in the constructor'],
  [/namespace|module/, 'write an ES module, or an object, instead of a namespace'],
  [/import equals/, 'write "import x from" or "import * as x from"'],
  [/export assignment/, 'write "export default"'],
  [/./, 'write it in JavaScript, or build the handler to .js'],
]

/** Why a module could not be imported. */
export function importMistake(error: unknown, file: string): Mistake {
  const { code, message = '' } = (typeof error === 'object' && error !== null ? error : {}) as NodeJS.ErrnoException
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return notFound(message, file)
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    const remedy = INSTEAD.find(([word]) => word.test(message))?.[1] ?? ''
    return { ...printedPlace(error), message: `${message.replace(' is not supported in strip-only mode', '')} needs a compiler, which Node is not: ${remedy}` }
  }
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING')
    return { message: `Node runs no TypeScript from node_modules, expected a package of .js files: ${message}` }
  if (error instanceof SyntaxError) return syntaxMistake(error, file)
  const { message: reason, ...place } = thrown(error)
  return { ...place, message: `the module throws when it is imported: ${reason}` }
}

/** What was thrown by code of the user's, and where. */
export function thrown(error: unknown): Mistake {
  if (!(error instanceof Error)) return { message: typeof error === 'string' ? error : valueText(error) }
  // CommonJS is named by its path, an ES module by its URL.
  const [, where, line, column] = /^ +at (?:.*\()?((?:file:\/)?\/[^()]*):(\d+):(\d+)\)?$/m.exec(error.stack ?? '') ?? []
  const file = where === undefined || where.startsWith('/') ? where : pathOf(where)
  // Not where it went through this package.
  const place = file === undefined || file === SELF ? {} : { file, line: Number(line), column: Number(column) }
  return { ...place, message: error.message === '' ? error.name : error.message }
}

const SELF = fileURLToPath(new URL(import.meta.url))

function notFound(message: string, file: string): Mistake {
  const [, what = '', name = '', importer = ''] = /^Cannot find (module|package) '(.+)' imported from (.+)$/.exec(message) ?? []
  if (name === '') return { message: `an import fails: ${message.split('\n')[0]}` }
  const place = importer === file || !existsSync(importer) ? {} : { file: importer }
  if (what === 'package') return { ...place, message: `cannot import "${name}": there is no such package, install it or correct the name` }
  const withEnding = ['.ts', '.js', '.mjs'].map((ending) => name + ending).find((path) => existsSync(path))
  const remedy = withEnding === undefined ? 'there is no such file' : `Node needs the ending, expected ${withEnding}`
  return { ...place, message: `cannot import ${name}: ${remedy}` }
}

function syntaxMistake(error: SyntaxError, file: string): Mistake {
  const named = /does not provide an export named '(.+)'/.exec(error.message)
  if (named !== null) {
    return { ...printedPlace(error), message: `${error.message}; when ${named[1]} is a type, write "import type { ${named[1]} }"` }
  }
  const printed = placeIn(error.stack ?? '')
  const { text = '', ...place } = printed.line === undefined ? findSyntaxError(pathToFileURL(file).href) : printed
  if (text.startsWith('@'))
    return { ...place, message: 'a decorator needs a compiler, which Node is not: call the function by yourself, or build the handler to .js' }
  return { ...place, message: `syntax error: ${error.message.replaceAll('\n', ' ')}` }
}

function printedPlace(error: unknown): SourcePlace {
  const { text: _, ...place } = placeIn(error instanceof Error ? (error.stack ?? '') : '')
  return place
}

function pathOf(url: string): string | undefined {
  return URL.canParse(url) ? fileURLToPath(url) : undefined
}
