import { registerHooks } from 'node:module'

const SCHEME = 'polyport-late:'

/**
 * Has CommonJS modules that are loaded meanwhile get stand-ins for some of Node's own: the functions of these load the real module when they are called.
 * For what a package requires at its top, and most processes never use. Whatever else than a function is read of a stand-in has to be in upper case, and loads the
 * real one.
 * @param builtins names as they are required, without `node:`
 */
export function withLate<T>(builtins: readonly string[], load: () => T): T {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      return builtins.includes(specifier) ? { url: SCHEME + specifier, format: 'commonjs', shortCircuit: true } : next(specifier, context)
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

function standIn(builtin: string): string {
  return `
    const real = () => process.getBuiltinModule('node:${builtin}')
    module.exports = new Proxy(function () {}, {
      apply: (_, self, args) => real()(...args),
      get: (_, name) => /^[a-z]/.test(name) ? (...args) => real()[name](...args) : real()[name],
    })`
}
