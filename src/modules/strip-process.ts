import { readFileSync, realpathSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { pathToFileURL } from 'node:url'
import { compileFunction, Script, SourceTextModule } from 'node:vm'
import type { StrippedModule } from './stripped.ts'

/**
 * A program that parses modules and what they import by relative paths, and evaluates nothing. Prints each TypeScript module, without its types, as a
 * line of JSON (`StrippedModule`), and ends as Node does at a syntax error when there is one in JavaScript: with its place.
 *
 *   node --experimental-vm-modules strip-process.js URL...
 */
const found = new Set(process.argv.slice(2))
let firstError: { readonly error: unknown } | undefined

for (const name of found) {
  try {
    const url = realUrl(name)
    const { pathname } = new URL(url)
    const isTypeScript = /\.[cm]?ts$/.test(pathname)
    // What is data is parsed by nobody here, and TypeScript of a package is what Node refuses to import.
    if (isTypeScript ? pathname.includes('/node_modules/') : !/\.[cm]?js$/.test(pathname)) continue
    const source = readFileSync(new URL(url), 'utf8')
    const code = isTypeScript ? stripTypeScriptTypes(source) : source
    for (const imported of importedBy(code, url)) if (/^\.{0,2}\//.test(imported)) found.add(new URL(imported, url).href)
    if (isTypeScript) print({ url, source, code, isModule: !isScript(code) })
  } catch (error) {
    // A file that is not there, or TypeScript that needs a compiler: whoever imports it is told by Node.
    if (error instanceof SyntaxError && !('code' in error)) firstError ??= { error }
  }
}
if (firstError !== undefined) throw firstError.error

/** As Node knows a module: links are followed. */
function realUrl(name: string): string {
  const url = new URL(name)
  const real = pathToFileURL(realpathSync(url))
  return `${real.href}${url.search}${url.hash}`
}

function importedBy(code: string, url: string): readonly string[] {
  try {
    return new SourceTextModule(code, { identifier: url }).dependencySpecifiers
  } catch (error) {
    // CommonJS may do what a module may not: return, for one.
    if (!/\.c[jt]s$/.test(new URL(url).pathname) || !isFunctionBody(code)) throw error
    return []
  }
}

function isFunctionBody(code: string): boolean {
  try {
    return compileFunction(code) !== undefined
  } catch {
    return false
  }
}

/** Whether Node takes the file for CommonJS when no package.json says what it is. */
function isScript(code: string): boolean {
  try {
    return new Script(code) !== undefined
  } catch {
    return false
  }
}

function print(module: StrippedModule): void {
  process.stdout.write(`${JSON.stringify(module)}\n`)
}
