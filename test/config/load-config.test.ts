import assert from 'node:assert/strict'
import { chmodSync, mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadConfig, resolveConfig } from '../../src/config/load-config.ts'
import type { ConfigInput } from '../../src/config/schema.ts'
import { ROOT } from '../docs/blocks.ts'
import { BROKEN } from './broken-configs.ts'
import { configFolder, problemsOf } from './config-folder.ts'

const ENVIRONMENT = { TEXT: 'abc', SECRET: 'geheim' }
const TCP = { protocol: 'tcp', port: 0, handler: './h.ts' } as const

describe('loadConfig() refuses', () => {
  for (const [name, text, ...expected] of BROKEN) {
    test(name, () => {
      const dir = configFolder({ 'config.json': text, 'h.ts': '', 'public/index.html': '' })

      const problems = problemsOf(() => loadConfig(join(dir, 'config.json'), { environment: ENVIRONMENT }), dir)

      assert.deepEqual(
        problems,
        expected.map((problem) => `config.json:${problem.replaceAll('DIR', dir)}`),
      )
      assert.ok(expected.length > 0)
    })
  }

  for (const url of ['file://elsewhere/h.ts', 'file:///a%2Fb.ts', 'file:']) {
    test(`the URL ${url}, which names no file of this machine`, () => {
      const dir = configFolder({ 'config.json': JSON.stringify({ ports: [{ ...TCP, handler: url }] }) })

      const [problem = ''] = problemsOf(() => loadConfig(join(dir, 'config.json')), dir)

      assert.match(problem, /^config\.json:1:\d+: ports\[0\]\.handler: /)
    })
  }

  test('a file that is not there', () => {
    const dir = configFolder({})

    const expected = 'gone.json: there is no such file, expected a config file'
    assert.deepEqual(
      problemsOf(() => loadConfig(join(dir, 'gone.json')), dir),
      [expected],
    )
  })

  test('a folder', () => {
    const dir = configFolder({})
    mkdirSync(join(dir, 'sub'))

    assert.deepEqual(
      problemsOf(() => loadConfig(join(dir, 'sub')), dir),
      ['sub: this is a folder, expected a config file'],
    )
  })

  test('a file that may not be read', { skip: process.getuid?.() === 0 && 'root may read every file' }, () => {
    const dir = configFolder({ 'config.json': '{}' })
    chmodSync(join(dir, 'config.json'), 0)

    assert.deepEqual(
      problemsOf(() => loadConfig(join(dir, 'config.json')), dir),
      ['config.json: this user may not read the file'],
    )
  })

  test('lines that end with CR and LF, and a byte order mark, with the right position', () => {
    const dir = configFolder({ 'config.json': '\uFEFF{\r\n  "workers": 0,\r\n  "ports": 3 }' })

    assert.deepEqual(
      problemsOf(() => loadConfig(join(dir, 'config.json')), dir),
      ['config.json:2:14: workers: expected at least 1, found 0', 'config.json:3:12: ports: expected a list [ … ], found 3'],
    )
  })
})

describe('loadConfig()', () => {
  test('reads config.example.json', () => {
    const config = loadConfig(join(ROOT, 'config.example.json'), { environment: {} })

    assert.deepEqual(
      config.ports.map(({ name }) => name),
      ['web', 'line', 'dgram', 'api', 'chat'],
    )
    assert.equal(config.file, join(ROOT, 'config.example.json'))
    assert.equal(`${config.dir}/`, ROOT)
  })

  test('takes comments and trailing commas', () => {
    const dir = configFolder({ 'config.json': '// one\n{ "ports": [{ "protocol": "udp", "port": 0, "handler": "./h.ts", /* two */ }, ], }', 'h.ts': '' })

    assert.equal(loadConfig(join(dir, 'config.json')).ports.length, 1)
  })

  test('makes paths absolute, from the folder of the file', () => {
    const text = JSON.stringify({
      runtimeDir: './r',
      dataDir: 'd',
      admin: { path: './a.sock' },
      ports: [
        { protocol: 'tcp', path: 'sub/t.sock', handler: './h.ts', framing: { type: 'custom', module: '../h.ts' } },
        { protocol: 'http', port: 0, handler: '../h.ts', static: './public', websocket: { handler: 'h.ts' } },
      ],
    })
    const dir = configFolder({ 'sub/config.json': text, 'sub/h.ts': '', 'h.ts': '', 'sub/public/index.html': '' })

    const { ports, ...config } = loadConfig(join(dir, 'sub/config.json'))

    const [tcp, http] = ports
    assert.deepEqual([config.runtimeDir, config.dataDir, config.admin?.path], [join(dir, 'sub/r'), join(dir, 'sub/d'), join(dir, 'sub/a.sock')])
    assert.deepEqual([tcp?.path, tcp?.handler], [join(dir, 'sub/sub/t.sock'), join(dir, 'sub/h.ts')])
    assert.equal(tcp?.framing?.type === 'custom' && tcp.framing.module, join(dir, 'h.ts'))
    assert.deepEqual([http?.handler, http?.static, http?.websocket?.handler], [join(dir, 'h.ts'), join(dir, 'sub/public'), join(dir, 'sub/h.ts')])
  })

  test('leaves the name of a package', () => {
    const dir = configFolder({
      'config.json': JSON.stringify({ ports: [{ ...TCP, handler: '@me/handler' }] }),
      'node_modules/@me/handler/package.json': '{ "exports": { "import": "./main.js" } }',
    })

    assert.equal(loadConfig(join(dir, 'config.json')).ports[0]?.handler, '@me/handler')
  })
})

describe('resolveConfig()', () => {
  test('says once of a class in place of a file that it is no text', () => {
    const ports = [{ ...TCP, handler: class {} as unknown as string }]

    assert.deepEqual(
      problemsOf(() => resolveConfig({ ports }), 'no-folder'),
      ['config: ports[0].handler: expected text in quotes, found a function'],
    )
  })

  test('fills in defaults', () => {
    const { ports, file, dir, portIndexes, ...config } = resolveConfig({ ports: [TCP] }, { dir: '/srv/app' })

    const limits = {
      sendBuffer: 8388608,
      onOverflow: 'close',
      maxPayload: 1048576,
      maxFragments: 1024,
      upgradeSeconds: 10,
      headerSeconds: 10,
      requestSeconds: 60,
      keepAliveSeconds: 65,
      headerBytes: 16384,
      headerFields: 128,
      bodyBytes: 4194304,
    }
    const framing = { type: 'eof', eof: '\r\n', keepEof: false, maxLength: 4194304 }
    assert.deepEqual(ports, [
      { ...TCP, name: 'tcp-0', handler: '/srv/app/h.ts', host: '127.0.0.1', enabled: true, deny: [], http2: false, options: {}, limits, framing },
    ])
    assert.deepEqual(config, {
      name: 'polyport',
      workers: 1,
      dispatch: 'kernel',
      runtimeDir: '/srv/app/run',
      dataDir: '/srv/app/data',
      maxWaitSeconds: 30,
      startSeconds: 30,
      stuckSeconds: 30,
      watch: { enabled: false, paths: ['/srv/app'], ignore: [], debounceMs: 100 },
      log: { level: 'info', format: 'auto' },
      tables: {},
      processes: {},
      lifecycle: [],
    })
    assert.deepEqual({ file, dir, portIndexes }, { file: '/srv/app/config.json', dir: '/srv/app', portIndexes: [0] })
  })

  test('counts cores for "auto"', () => {
    assert.equal(resolveConfig({ workers: 'auto', ports: [TCP] }).workers, availableParallelism())
  })

  test('names ports by protocol and port, or by protocol and file', () => {
    const { ports } = resolveConfig({
      ports: [
        { ...TCP, port: 5291 },
        { protocol: 'udp', path: '/tmp/a b.sock', handler: './h.ts' },
      ],
    })

    assert.deepEqual(
      ports.map(({ name }) => name),
      ['tcp-5291', 'udp-a-b.sock'],
    )
  })

  test('leaves out ports that are not enabled, which may share name and address', () => {
    const { ports, portIndexes } = resolveConfig({
      ports: [
        { ...TCP, port: 5000, enabled: false },
        { ...TCP, port: 5000 },
      ],
    })

    assert.equal(ports.length, 1)
    assert.deepEqual(portIndexes, [1])
  })

  const sharing: readonly (readonly [string, ConfigInput['ports']])[] = [
    ['port 0', [{ ...TCP, name: 'a' }, TCP]],
    [
      'one port number for tcp and udp',
      [
        { ...TCP, port: 53 },
        { ...TCP, protocol: 'udp', port: 53 },
      ],
    ],
    [
      'one port number on two addresses',
      [
        { ...TCP, name: 'a', port: 80, host: '127.0.0.1' },
        { ...TCP, port: 80, host: '127.0.0.2' },
      ],
    ],
    [
      'one port number on IPv4 and IPv6',
      [
        { ...TCP, name: 'a', port: 80, host: '0.0.0.0' },
        { ...TCP, port: 80, host: '::1' },
      ],
    ],
  ]
  for (const [name, ports] of sharing) {
    test(`lets two ports have ${name}`, () => {
      assert.equal(resolveConfig({ ports }).ports.length, 2)
    })
  }

  test('takes names of hosts, and admin on any loopback address or a unix socket without token', () => {
    for (const host of ['localhost', '127.0.0.2', '::1', '0:0:0:0:0:0:0:1']) resolveConfig({ ports: [TCP], admin: { port: 0, host } })
    resolveConfig({ ports: [TCP], admin: { path: './admin.sock' } })
    resolveConfig({ ports: [TCP], admin: { port: 0, host: '0.0.0.0', token: '0123456789abcdef' } })
    resolveConfig({ ports: [{ ...TCP, host: 'my-host.example.org' }] })
  })

  test('takes a length that counts the whole frame', () => {
    resolveConfig({ ports: [{ ...TCP, framing: { type: 'length', field: 'u16le', offset: 2, bodyOffset: 0 } }] })
  })

  test('is frozen through and through, and leaves the input and instances in it alone', () => {
    const instance = new Map()
    const input: ConfigInput = { ports: [{ ...TCP, options: { list: [{ a: 1 }], instance } }] }

    const config = resolveConfig(input)

    const options = config.ports[0]?.options as { list: object[]; instance: object }
    for (const part of [config, config.ports, config.ports[0], config.log, options, options.list, options.list[0]]) assert.ok(Object.isFrozen(part))
    assert.equal(options.instance, instance)
    assert.ok(!Object.isFrozen(instance) && !Object.isFrozen(input.ports[0]?.options) && !Object.isFrozen(input))
  })

  test('takes options that refer to each other in a circle', () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle

    const self = resolveConfig({ ports: [{ ...TCP, options: circle }] }).ports[0]?.options['self'] as Record<string, unknown>

    assert.equal(self['self'], self)
    assert.ok(Object.isFrozen(self))
  })

  test('lists every problem by path, without a position', () => {
    const input = { nmae: 1, ports: [{ ...TCP, port: -1 }] }

    assert.deepEqual(
      problemsOf(() => resolveConfig(input)),
      ['config: ports[0].port: expected at least 0, found -1', 'config: nmae: unknown key "nmae", did you mean "name"?'],
    )
  })

  test('is plain data: it survives a structured clone', () => {
    const config = resolveConfig({ ports: [TCP] })

    assert.deepEqual(structuredClone(config), config)
  })
})
