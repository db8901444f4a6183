import { existsSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The absolute path of a module that a config names by its file; the name of a package stays as it is. */
export function modulePath(name: string, dir: string): string {
  if (name.startsWith('file:')) return pathOfUrl(name) ?? resolve(dir, name)
  if (/^(\.{0,2}\/|\.\.?$)/.test(name)) return resolve(dir, name)
  // "handlers/echo.ts" is a file that was written without "./", or a part of the package "handlers".
  const isCode = /\.[cm]?[jt]s$/.test(name)
  return isCode && (existsSync(resolve(dir, name)) || findPackage(name, dir) === undefined) ? resolve(dir, name) : name
}

/** Undefined for a URL that names no file here: of another host, or with a slash in a name. */
function pathOfUrl(url: string): string | undefined {
  try {
    return fileURLToPath(url)
  } catch {
    return undefined
  }
}

/** The package.json of an installed package, as code in this folder would find it. */
export function findPackage(name: string, dir: string): string | undefined {
  try {
    return findPackageJSON(name, pathToFileURL(join(dir, 'config.json')))
  } catch {
    return undefined
  }
}
