import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { ConfigInput, Protocol } from '../../src/config/schema.ts'
import { formatProblem, type Problem } from '../../src/errors.ts'
import { loadHandlers } from '../../src/worker/load-handlers.ts'

const CONTRACTS = fileURLToPath(new URL('../../src/contracts/handlers.ts', import.meta.url))
const root = realpathSync(mkdtempSync(join(tmpdir(), 'polyport-handlers-')))
after(() => rmSync(root, { recursive: true, force: true }))

let numFolders = 0

/** A folder with these files, of its own as Node remembers what it has imported. `polyport` in a source stands for the handler classes. */
function folder(files: Readonly<Record<string, string>>): string {
  const dir = join(root, String(++numFolders))
  for (const [name, source] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), source.replace("from 'polyport'", `from '${pathToFileURL(CONTRACTS)}'`))
  }
  return dir
}

function load(dir: string, ports: ConfigInput['ports']): ReturnType<typeof loadHandlers> {
  return loadHandlers(resolveConfig({ ports }, { dir }))
}

/** As they are printed, with the folder cut off. */
function printed(problems: readonly Problem[], dir: string): string[] {
  return problems.map((problem) => formatProblem(problem).replaceAll(`${dir}/`, ''))
}

const GOOD = `import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler {
  onReceive() {}
}
`

interface Mistake {
  readonly name: string
  readonly source: string
  readonly protocol?: Protocol
  readonly file?: string
  readonly others?: Readonly<Record<string, string>>
  /** Behind `h.ts` and the port's name; whole when it begins with a file. */
  readonly expected: string | readonly string[]
}

const MISTAKES: readonly Mistake[] = [
  {
    name: 'a syntax error in TypeScript',
    source: 'const a = 1\nlet b: = 2\n',
    expected: 'h.ts:2:8: ports[0].handler: port "p": syntax error: Unexpected token',
  },
  {
    name: 'a syntax error in TypeScript, in a folder whose package.json has no type',
    source: 'const a = 1\nlet b: = 2\n',
    others: { 'package.json': '{}' },
    expected: 'h.ts:2:8: ports[0].handler: port "p": syntax error: Unexpected token',
  },
  {
    name: 'a syntax error in JavaScript',
    file: 'h.js',
    source: 'const a = 1\nlet b = = 2\n',
    expected: `h.js:2:9: ports[0].handler: port "p": syntax error: Unexpected token '='`,
  },
  {
    name: 'a syntax error in what it imports',
    source: "import './other.js'\n",
    others: { 'other.js': '\n\nlet b = = 2\n' },
    expected: `other.js:3:9: ports[0].handler: port "p": syntax error: Unexpected token '='`,
  },
  {
    name: 'an enum',
    source: 'const a = 1\nenum Color { Red }\n',
    expected:
      'h.ts:2:1: ports[0].handler: port "p": TypeScript enum needs a compiler, which Node is not: write "const Color = { Red: 0 } as const" instead of an enum',
  },
  {
    name: 'a parameter property',
    source: 'class A { constructor(private x: number) {} }\n',
    expected:
      'h.ts:1:31: ports[0].handler: port "p": TypeScript parameter property needs a compiler, which Node is not: declare the field in the class and assign it in the constructor',
  },
  {
    name: 'a namespace',
    source: 'namespace N { export const x = 1 }\n',
    expected:
      'h.ts:1:1: ports[0].handler: port "p": TypeScript namespace declaration needs a compiler, which Node is not: write an ES module, or an object, instead of a namespace',
  },
  {
    name: 'import =',
    source: 'import x = require("fs")\n',
    expected:
      'h.ts:1:1: ports[0].handler: port "p": TypeScript import equals declaration needs a compiler, which Node is not: write "import x from" or "import * as x from"',
  },
  {
    name: 'a decorator',
    source: 'function d(x: unknown, c: unknown): void {}\n@d\nexport default class A {}\n',
    expected:
      'h.ts:2:1: ports[0].handler: port "p": a decorator needs a compiler, which Node is not: call the function by yourself, or build the handler to .js',
  },
  { name: 'an import of a file that is not there', source: "import './gone.ts'\n", expected: 'cannot import gone.ts: there is no such file' },
  {
    name: 'an import without ending',
    source: "import './other'\n",
    others: { 'other.ts': '' },
    expected: 'cannot import other: Node needs the ending, expected other.ts',
  },
  {
    name: 'an import of a package that is not there',
    source: "import 'no-such-package'\n",
    expected: 'cannot import "no-such-package": there is no such package, install it or correct the name',
  },
  {
    name: 'a bad import in what it imports',
    source: "import './other.ts'\n",
    others: { 'other.ts': "import 'no-such-package'\n" },
    expected: 'other.ts: ports[0].handler: port "p": cannot import "no-such-package": there is no such package, install it or correct the name',
  },
  {
    name: 'a type that is imported as a value',
    source: "import { Row } from './other.ts'\n",
    others: { 'other.ts': 'export type Row = string\n' },
    expected: `h.ts:1:10: ports[0].handler: port "p": The requested module './other.ts' does not provide an export named 'Row'; when Row is a type, write "import type { Row }"`,
  },
  {
    name: 'a throw at import',
    source: "\nthrow new Error('no database')\n",
    expected: 'h.ts:2:7: ports[0].handler: port "p": the module throws when it is imported: no database',
  },
  {
    name: 'a throw at import, in CommonJS',
    file: 'h.cjs',
    source: "\nthrow new Error('no database')\n",
    expected: 'h.cjs:2:7: ports[0].handler: port "p": the module throws when it is imported: no database',
  },
  { name: 'a throw of no Error', source: 'throw 7\n', expected: 'the module throws when it is imported: 7' },
  { name: 'no default export', source: 'export const x = 1\n', expected: 'there is no default export, expected a class that extends TcpHandler' },
  {
    name: 'a class that is exported by name',
    source: GOOD.replace('default ', ''),
    expected: 'there is no default export, expected a class that extends TcpHandler: write "export default class Echo"',
  },
  { name: 'an object', source: 'export default { onReceive() {} }\n', expected: 'the default export is an object, expected a class that extends TcpHandler' },
  { name: 'null', source: 'export default null\n', expected: 'the default export is null, expected a class that extends TcpHandler' },
  { name: 'a function', source: 'export default () => {}\n', expected: 'the default export is a function, expected a class that extends TcpHandler' },
  {
    name: 'a class of nothing',
    source: 'export default class Echo { onReceive() {} }\n',
    expected: 'Echo extends no class, expected a class that extends TcpHandler',
  },
  {
    name: 'a class without name',
    source: 'export default class { onReceive() {} }\n',
    expected: 'the class extends no class, expected a class that extends TcpHandler',
  },
  {
    name: 'a class of something else',
    source: 'export default class Echo extends Map { onReceive() {} }\n',
    expected: 'Echo extends Map, which is no handler class, expected a class that extends TcpHandler',
  },
  {
    name: 'the class of another protocol',
    protocol: 'websocket',
    source: GOOD,
    expected: 'Echo extends TcpHandler, expected a class that extends WebSocketHandler as the protocol is websocket',
  },
  {
    name: 'no required callback',
    source: "import { TcpHandler } from 'polyport'\nexport default class Echo extends TcpHandler { onClose() {} onlyMine() {} }\n",
    expected: 'there is no onReceive, which every TcpHandler must have',
  },
  {
    name: 'the callback of another protocol',
    source: "import { TcpHandler } from 'polyport'\nexport default class Echo extends TcpHandler { onMessage() {} }\n",
    expected: 'there is no onReceive, which every TcpHandler must have: onMessage belongs to WebSocketHandler, and the protocol is tcp',
  },
  { name: 'a misspelt required callback', source: GOOD.replace('onReceive', 'onRecieve'), expected: 'nothing calls onRecieve, did you mean onReceive?' },
  {
    name: 'misspelt callbacks beside the required one',
    source: GOOD.replace('onReceive() {}', 'onReceive() {} onConect() {} onclose() {} on_drain = () => {}'),
    expected: [
      'nothing calls on_drain, did you mean onDrain?',
      'nothing calls onConect, did you mean onConnect?',
      'nothing calls onclose, did you mean onClose?',
    ],
  },
  {
    name: 'a misspelt callback of a reload',
    source: GOOD.replace('onReceive() {}', 'onReceive() {} onHandOver() {}'),
    expected: 'nothing calls onHandOver, did you mean onHandover?',
  },
  {
    name: 'a callback of a reload that is no method',
    source: GOOD.replace('onReceive() {}', 'onReceive() {} onHandover = true'),
    expected: 'onHandover is a boolean, expected a method',
  },
  {
    name: 'callbacks of another protocol beside the required one',
    source: GOOD.replace('onReceive() {}', 'onReceive() {} onOpen() {} onMessage() {} onUpgrade() {}'),
    expected: [
      'nothing calls onOpen of a TcpHandler, did you mean onConnect?',
      'nothing calls onMessage of a TcpHandler',
      'nothing calls onUpgrade of a TcpHandler',
    ],
  },
  { name: 'a callback that is no method', source: GOOD.replace('onReceive() {}', 'onReceive = 3'), expected: 'onReceive is a number, expected a method' },
  {
    name: 'a constructor that throws',
    source: GOOD.replace('onReceive', 'constructor() {\n    super()\n    throw new Error("no config")\n  }\n  onReceive'),
    expected: 'h.ts:5:11: ports[0].handler: port "p": the constructor of Echo throws: no config',
  },
]

describe('loadHandlers() names the mistake', () => {
  for (const { name, source, protocol = 'tcp', file = 'h.ts', others = {}, expected } of MISTAKES) {
    test(name, async () => {
      const dir = folder({ [file]: source, ...others })

      const { loaded, problems } = await load(dir, [{ name: 'p', protocol, port: 0, handler: `./${file}` }])

      const wanted = [expected].flat().map((text) => (/^[\w.]+:\d*/.test(text) ? text : `${file}: ports[0].handler: port "p": ${text}`))
      // The parser's own words differ between versions of Node after "Unexpected token".
      const found = printed(problems, dir).map((text) => text.replace(/(Unexpected token) `.*/, '$1'))
      assert.deepEqual(found, wanted)
      assert.deepEqual(loaded, [])
    })
  }

  test('of a file that is not there, or is a folder', async () => {
    const dir = folder({ 'sub.ts/x': '' })

    const { problems } = await load(dir, [
      { name: 'a', protocol: 'tcp', port: 0, handler: './gone.ts' },
      { name: 'b', protocol: 'udp', port: 0, handler: './sub.ts' },
    ])

    assert.deepEqual(printed(problems, dir), [
      'gone.ts: ports[0].handler: port "a": there is no such file',
      'sub.ts: ports[1].handler: port "b": this is a folder, expected a file',
    ])
  })

  test('of a package that is not installed', async () => {
    const dir = folder({})

    const { problems } = await load(dir, [{ name: 'a', protocol: 'tcp', port: 0, handler: 'no-such-package' }])

    const expected = 'no-such-package: ports[0].handler: port "a": cannot import "no-such-package": there is no such package, install it or correct the name'
    assert.deepEqual(printed(problems, dir), [expected])
  })

  test('of a custom framing', async () => {
    const dir = folder({
      'h.ts': GOOD,
      'none.ts': 'export default class Framing { decode = 3 }\n',
      'function.ts': 'export default () => {}\n',
    })
    const port = { protocol: 'tcp', port: 0, handler: './h.ts' } as const

    const { loaded, problems } = await load(dir, [
      { ...port, name: 'a', framing: { type: 'custom', module: './none.ts' } },
      { ...port, name: 'b', framing: { type: 'custom', module: './function.ts' } },
    ])

    assert.deepEqual(printed(problems, dir), [
      'none.ts: ports[0].framing.module: port "a": there is no frameLength, which every framing must have',
      'none.ts: ports[0].framing.module: port "a": decode is a number, expected a method',
      'function.ts: ports[1].framing.module: port "b": the default export is a function, expected a class with a method frameLength',
    ])
    assert.deepEqual(loaded, [])
  })

  test('of every port at once, and counts ports as the config does', async () => {
    const dir = folder({ 'h.ts': GOOD, 'bad.ts': '' })

    const { loaded, problems } = await load(dir, [
      { name: 'off', enabled: false, protocol: 'tcp', port: 0, handler: './gone.ts' },
      { name: 'a', protocol: 'tcp', port: 0, handler: './h.ts' },
      { name: 'b', protocol: 'udp', port: 0, handler: './h.ts' },
      { name: 'c', protocol: 'http', port: 0, handler: './bad.ts', websocket: { handler: './h.ts' } },
    ])

    assert.deepEqual(
      problems.map(({ path }) => path),
      ['ports[2].handler', 'ports[3].handler', 'ports[3].websocket.handler'],
    )
    assert.deepEqual(
      loaded.map(({ config }) => config.name),
      ['a'],
    )
  })
})

describe('loadHandlers() accepts', () => {
  test('handlers in .ts, .js and .mjs, in the order of the ports', async () => {
    const dir = folder({ 'a.ts': GOOD, 'b.js': GOOD, 'c.mjs': GOOD })

    const { loaded, problems } = await load(
      dir,
      ['a.ts', 'b.js', 'c.mjs'].map((file) => ({ name: file, protocol: 'tcp', port: 0, handler: `./${file}` })),
    )

    assert.deepEqual(problems, [])
    assert.deepEqual(
      loaded.map(({ config, handler }) => [config.name, typeof (handler as { onReceive?: unknown }).onReceive]),
      [
        ['a.ts', 'function'],
        ['b.js', 'function'],
        ['c.mjs', 'function'],
      ],
    )
  })

  test('a package of the folder of the config, also one that has only an import condition', async () => {
    const dir = folder({
      'node_modules/my-handler/package.json': '{ "type": "module", "exports": { "import": "./main.js" } }',
      'node_modules/my-handler/main.js': GOOD,
    })

    const { loaded, problems } = await load(dir, [{ name: 'a', protocol: 'tcp', port: 0, handler: 'my-handler' }])

    assert.deepEqual(problems, [])
    assert.equal(loaded.length, 1)
  })

  test('a class of another copy of the package', async () => {
    const dir = folder({ 'h.ts': GOOD.replace("'polyport'", "'./copy.ts'") })
    cpSync(CONTRACTS, join(dir, 'copy.ts'))

    const { problems } = await load(dir, [{ name: 'a', protocol: 'tcp', port: 0, handler: './h.ts' }])

    assert.deepEqual(problems, [])
  })

  test('callbacks as arrow functions, of a parent class, and other methods that begin with "on"', async () => {
    const dir = folder({
      'h.ts': `import { TcpHandler } from 'polyport'
class Base extends TcpHandler { onReceive = () => {}; onStore() {}; once() {}; onPrivateThing() {} }
export default class Echo extends Base {}
`,
    })

    const { problems } = await load(dir, [{ name: 'a', protocol: 'tcp', port: 0, handler: './h.ts' }])

    assert.deepEqual(problems, [])
  })

  test('an http port with a WebSocket handler, and custom framing', async () => {
    const dir = folder({
      'web.ts': "import { HttpHandler } from 'polyport'\nexport default class Web extends HttpHandler { onRequest() {} }\n",
      'ws.ts': "import { WebSocketHandler } from 'polyport'\nexport default class Ws extends WebSocketHandler { onMessage() {} }\n",
      'tcp.ts': GOOD,
      'framing.ts': 'export default class Framing { frameLength() { return 0 } }\n',
    })

    const { loaded, problems } = await load(dir, [
      { name: 'a', protocol: 'http', port: 0, handler: './web.ts', websocket: { handler: './ws.ts' } },
      { name: 'b', protocol: 'tcp', port: 0, handler: './tcp.ts', framing: { type: 'custom', module: './framing.ts' } },
    ])

    assert.deepEqual(problems, [])
    assert.equal(loaded[0]?.webSocketHandler?.constructor.name, 'Ws')
    assert.equal(typeof loaded[1]?.framing?.frameLength, 'function')
  })
})
