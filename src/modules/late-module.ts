import { registerHooks } from 'node:module'

const SCHEME = 'polyport-late:'

/**
 * Has CommonJS modules that are loaded meanwhile get stand-ins for some of those they require: the functions and classes of these load the real module when they
 * are called. For what a package requires at its top, and most processes never use. Whatever else is read of a stand-in has to be a constant in
 * upper case, and loads the real one.
 * @param names as they are required, those of Node without `node:`
 */
export function withLate<T>(names: readonly string[], load: () => T): T {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (!names.includes(specifier)) return next(specifier, context)
      return { url: SCHEME + next(specifier, context).url, format: 'commonjs', shortCircuit: true }
    },
    load(url, context, next) {
      return url.startsWith(SCHEME) ? { source: standIn(url.slice(SCHEME.length)), format: 'commonjs', shortCircuit: true } : next(url, context)
    },
  })
  try {
    return load()
  } finally {
    hooks.deregister()
  }
}

/** @param url of the real module. By its name it would be the stand-in again: Node remembers what a name stands for in a folder. */
function standIn(url: string): string {
  return `
    const { createRequire } = process.getBuiltinModule('node:module')
    const real = () => ${url.startsWith('node:') ? `process.getBuiltinModule('${url}')` : `createRequire('${url}')(process.getBuiltinModule('node:url').fileURLToPath('${url}'))`}
    const member = (name) => {
      if (/^[a-z]/.test(name)) return (...args) => real()[name](...args)
      if (/^[A-Z][a-z]/.test(name)) return new Proxy(class {}, { construct: (_, args) => Reflect.construct(real()[name], args) })
      return real()[name]
    }
    module.exports = new Proxy(function () {}, { apply: (_, self, args) => real()(...args), get: (_, name) => member(name) })`
}
