import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

// From the bottom up. A file imports values from its own folder or from a layer further down, never up or sideways.
const LAYERS = [
  ['node-fs.ts', 'node-util.ts'],
  ['errors.ts', 'make-folder.ts', 'shows.ts', 'value-text.ts', 'version.ts'],
  ['arguments.ts'],
  ['contracts', 'config'],
  ['framing', 'modules'],
  // A port keeps its own counters, and what a worker reports of them travels over ipc.
  ['metrics'],
  ['ipc', 'log'],
  ['net', 'shared', 'cluster'],
  ['admin', 'tasks', 'events', 'timers', 'processes', 'lifecycle', 'handover', 'apps', 'http'],
  ['worker'],
  ['master'],
  ['create-daemon.ts'],
  ['index.ts'],
  ['cli'],
  ['bin.ts'],
]
// What only one place may know.
const KEEPERS: Readonly<Record<string, RegExp>> = {
  lmdb: /^shared\/lmdb\.ts$/,
  pino: /^log\/pino\.ts$/,
  ws: /^net\/(websocket-|ws-internals)/,
  'unix-dgram': /^net\/unix-datagram\.ts$/,
  yargs: /^(cli\/|bin\.ts)/,
  zod: /^config\//,
  'jsonc-parser': /^config\//,
  'dgram-stream': /^cli\//,
  'prom-client': /^metrics\//,
  'pino-pretty': /^log\//,
  sirv: /^http\//,
  compression: /^http\//,
  '@hono/node-server': /^apps\//,
  croner: /^timers\//,
  // Its import, as a value, loads undici, tls and http2 (net/node-http.ts).
  'node:http': /^net\/node-(http|internals)\.ts$/,
}
// Of Node. What an import as a value loads of them is 0.5 to 16 MiB of every worker, whether or not a client ever needs it.
const LARGE = [
  'node:fs',
  'node:util',
  'node:fs/promises',
  'node:http',
  'node:https',
  'node:tls',
  'node:http2',
  'node:zlib',
  'node:crypto',
  'node:process',
  'node:worker_threads',
]
// What Node does not document: underscored members and process.binding.
const INTERNALS = /\._[a-zA-Z]|\['_|process\.binding/
const INTERNALS_FILES = ['net/node-internals.ts', 'net/node-http-internals.ts', 'net/ws-internals.ts', 'net/handle-line.ts']

interface Import {
  readonly from: string
  readonly to: string
  readonly isType: boolean
  /** When it is needed: `import()`. */
  readonly isLate: boolean
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
const imports = files.flatMap(importsOf)

function importsOf(file: string): Import[] {
  const source = code(file)
  const found: Import[] = []
  for (const [, typeOnly, names, to] of source.matchAll(/^(?:import|export)\s+(type\s+)?([^'"]*?)\s*from\s+'([^']+)'/gm)) {
    const named = /^\{([^}]*)\}$/.exec(names ?? '')?.[1]
    const isType = typeOnly !== undefined || named?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) === true
    found.push({ from: file, to: resolve(file, to ?? ''), isType, isLate: false })
  }
  for (const [all, to] of source.matchAll(/(?:^import\s+|\bimport\()'([^']+)'/gm)) {
    found.push({ from: file, to: resolve(file, to ?? ''), isType: false, isLate: all.startsWith('import(') })
  }
  return found
}

/** The file without its comments. */
function code(file: string): string {
  return readFileSync(join(SRC, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
}

/** A file of src as its path in src, a package as its name. */
function resolve(from: string, to: string): string {
  return to.startsWith('.') ? relative(SRC, join(SRC, dirname(from), to)) : to
}

function layerOf(file: string): number {
  return LAYERS.findIndex((names) => names.includes(file.split('/')[0] ?? ''))
}

function folderOf(file: string): string {
  return file.split('/')[0] ?? ''
}

const inside = imports.filter(({ to }) => files.includes(to))

describe('architecture', () => {
  test('every file of src belongs to a layer', () => {
    assert.ok(files.length > 20)
    assert.deepEqual(
      files.filter((file) => layerOf(file) === -1),
      [],
    )
  })

  test('every relative import is of a file that is there', () => {
    const dangling = imports.filter(({ from, to }) => !files.includes(to) && code(from).includes(`./${to.split('/').at(-1)}'`))

    assert.deepEqual(
      dangling.filter(({ to }) => to.endsWith('.ts')),
      [],
    )
  })

  test('values are imported from the own folder or from a lower layer', () => {
    const wrong = inside.filter(({ from, to, isType }) => !isType && folderOf(from) !== folderOf(to) && layerOf(to) >= layerOf(from))

    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} imports ${to}`),
      [],
    )
  })

  test('types are imported from the own layer or from a lower one', () => {
    const wrong = inside.filter(({ from, to, isType }) => isType && layerOf(to) > layerOf(from))

    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} imports type of ${to}`),
      [],
    )
  })

  test('no imports of values go in a circle', () => {
    const next = Map.groupBy(
      inside.filter(({ isType }) => !isType),
      ({ from }) => from,
    )
    const done = new Set<string>()
    const circles: string[] = []
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (path.includes(file) || done.has(file)) return
      for (const { to } of next.get(file) ?? []) walk(to, [...path, file])
      done.add(file)
    }
    for (const file of files) walk(file, [])

    assert.deepEqual(circles, [])
  })

  test('what a worker loads imports nothing of Node that loads much more', () => {
    const loaded = new Set<string>()
    const load = (file: string): void => {
      if (loaded.has(file)) return
      loaded.add(file)
      for (const { from, to, isType, isLate } of inside) if (from === file && !isType && !isLate) load(to)
    }
    for (const file of ['worker/worker-entry.ts', 'worker/worker-process.ts', 'index.ts']) load(file)
    const large = imports.filter(({ from, to, isType, isLate }) => loaded.has(from) && LARGE.includes(to) && !isType && !isLate)

    assert.ok(loaded.size > 150)
    assert.deepEqual(
      large.map(({ from, to }) => `${from} imports ${to}`),
      [],
    )
  })

  for (const [name, keepers] of Object.entries(KEEPERS)) {
    test(`${name} is imported only where it belongs`, () => {
      const others = imports.filter(({ from, to, isType }) => to === name && !isType && !keepers.test(from))

      assert.deepEqual(
        others.map(({ from }) => from),
        [],
      )
    })
  }

  test(`${INTERNALS_FILES.join(' and ')} alone touch what Node and ws do not document`, () => {
    const others = files.filter((file) => !INTERNALS_FILES.includes(file) && INTERNALS.test(code(file)))

    for (const file of INTERNALS_FILES) assert.ok(INTERNALS.test(code(file)))
    assert.deepEqual(others, [])
  })

  test('no file of src is longer than 300 lines, but for the connection', () => {
    const long = files.filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > 301)

    assert.deepEqual(long, ['net/connection.ts'])
  })

  test('nothing is written to the console but by the command line', () => {
    const others = files.filter((file) => !/^(cli\/|bin\.ts)/.test(file) && /\bconsole\./.test(code(file)))

    assert.deepEqual(others, [])
  })

  test('an example imports nothing but polyport and Node, and has at most 40 lines', () => {
    const folder = fileURLToPath(new URL('../protocols/', import.meta.url))
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
      const source = readFileSync(join(folder, file), 'utf8')
      const others = [...source.matchAll(/from '([^']+)'/g)].map(([, to]) => to ?? '').filter((to) => to !== 'polyport' && !to.startsWith('node:'))

      assert.deepEqual(others, [], file)
      assert.ok(source.split('\n').length <= 41, `${file} has more than 40 lines`)
    }
  })
})
