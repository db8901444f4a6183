import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { folder, run } from './run-cli.ts'

const ECHO = `import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler {
  onReceive() {}
}
`

function project(t: TestContext, config: string, handler: string): string {
  const dir = folder(t)
  writeFileSync(join(dir, 'config.json'), config)
  writeFileSync(join(dir, 'echo.mjs'), handler)
  return dir
}

const GOOD = JSON.stringify({ ports: [{ name: 'line', protocol: 'tcp', port: 1, handler: './echo.mjs' }] })

describe('polyport check', () => {
  test('a good config is a summary and exit code 0, and nothing is opened', async (t) => {
    const dir = project(t, GOOD, ECHO)

    const { code, stdout, stderr } = await run(t, ['check'], { cwd: dir })

    assert.equal(code, 0)
    assert.equal(stdout, `${join(dir, 'config.json')} is good: 1 port, 1 worker, 0 tables\n`)
    assert.equal(stderr, '')
    assert.equal(existsSync(join(dir, 'run')), false)
  })

  test('ends although a handler module leaves a timer running', async (t) => {
    const dir = project(t, GOOD, `setInterval(() => {}, 1000)\n${ECHO}`)

    assert.equal((await run(t, ['check'], { cwd: dir })).code, 0)
  })

  test('a handler module that waits for ever is a mistake, found as soon as nothing can end it', async (t) => {
    const dir = project(t, GOOD, `await new Promise(() => {})\n${ECHO}`)

    const { code, stderr } = await run(t, ['check'], { cwd: dir })

    assert.equal(code, 2)
    assert.match(stderr, /echo\.mjs: ports\[0\]\.handler: .*: nothing has come of it within 29 s/)
  })

  test('a handler module that ends the process is a mistake', async (t) => {
    const dir = project(t, GOOD, `process.exit(0)\n${ECHO}`)

    const { code, stderr } = await run(t, ['check'], { cwd: dir })

    assert.equal(code, 2)
    assert.match(stderr, /^A module .* process\.exit\(\)/)
  })

  test('start says of one in a sentence that the worker has ended, with exit code 1', async (t) => {
    const dir = project(t, GOOD, `process.exit(0)\n${ECHO}`)

    const { code, stdout, stderr } = await run(t, ['start'], { cwd: dir })

    assert.equal(code, 1)
    assert.match(stderr, /^Worker 0 ended before it was ready: exit code 0$/m)
    // No other is started.
    assert.match(stdout, /"msg":"Worker died"/)
    assert.doesNotMatch(stderr, /^ +at /m)
  })

  test('a constructor that uses what is not there yet is told so', async (t) => {
    const dir = project(t, GOOD, ECHO.replace('onReceive', "size = this.options['size']\n  onReceive"))

    const { code, stderr } = await run(t, ['check'], { cwd: dir })

    assert.equal(code, 2)
    assert.match(stderr, /the constructor of Echo throws: .* of undefined .*; this\.daemon, this\.options, this\.log and the like are not there yet/)
  })

  test('every mistake of the config is a line with its place, and exit code 2', async (t) => {
    const config = '{\n  "wrokers": 2,\n  "ports": [{ "protocol": "tpc", "port": 1, "handler": "./echo.mjs" }]\n}\n'
    const dir = project(t, config, ECHO)

    const { code, stdout, stderr } = await run(t, ['check'], { cwd: dir })

    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /config\.json:2:\d+: wrokers: .*workers/)
    assert.match(stderr, /config\.json:3:\d+: ports\[0\]\.protocol: /)
  })

  test('mistakes of the config and of handlers are told at once, by start as by check', async (t) => {
    const dir = folder(t)
    const files: Record<string, string> = {
      'good.mjs': ECHO,
      'syntax.mjs': 'export default class {',
      'none.mjs': 'export const a = 1\n',
      'wrong.mjs': ECHO.replaceAll('TcpHandler', 'UdpHandler').replace('onReceive', 'onPacket'),
      'throws.mjs': ECHO.replace('onReceive', "constructor() { super(); throw new Error('no licence') }\n  onReceive"),
    }
    const ports = [...Object.keys(files), 'gone.mjs'].map((file) => ({ name: file, protocol: 'tcp', port: 0, handler: `./${file}` }))
    files['config.json'] = JSON.stringify({ wrokers: 2, ports: [{ name: 'off', enabled: false, protocol: 'tcp', port: 0, handler: './good.mjs' }, ...ports] })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)

    for (const verb of ['check', 'start']) {
      const { code, stdout, stderr } = await run(t, [verb], { cwd: dir })

      assert.equal(code, 2)
      assert.equal(stdout, '')
      const wanted = [/wrokers: unknown key/, /ports\[6\]\.handler: there is no file/, /syntax\.mjs.*ports\[2\]\.handler/, /none\.mjs.*ports\[3\].*no default/]
      for (const pattern of [...wanted, /wrong\.mjs.*ports\[4\].*UdpHandler/, /throws\.mjs.*ports\[5\].*no licence/]) assert.match(stderr, pattern)
      assert.equal(stderr.trim().split('\n').length, 6, stderr)
    }
  })

  test('mistakes of the config that only its modules show have their lines, too', async (t) => {
    const dir = folder(t)
    const files: Record<string, string> = {
      'good.mjs': ECHO,
      'work.mjs': `import { AsyncEvent, Timer } from 'polyport'
export class Saved extends AsyncEvent {}
export class Mail { handle() {} }
export class Tick extends Timer { static interval = 1000; run() {} }
`,
      'config.json': `{ "ports": [{ "protocol": "tcp", "port": 0, "handler": "./good.mjs" }],
  "timers": { "modules": ["./work.mjs"],
    "jobs": [{ "class": "Tock", "interval": 1000 }] },
  "events": { "modules": ["./work.mjs"], "listeners": {
    "Savd": ["Mail"],
    // A key that needs quotes in a path.
    "Sa ved": ["Mail"],
    "Saved": ["Mail",
      "Mial"]
  } }
}
`,
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
    const events = [
      /^\S+config\.json:5:13: events\.listeners\.Savd: .*did you mean "Saved"\?$/m,
      /^\S+config\.json:7:15: events\.listeners\["Sa ved"\]: .*did you mean "Saved"\?$/m,
      /^\S+config\.json:9:7: events\.listeners\.Saved\[1\]: .*did you mean "Mail"\?$/m,
    ]
    const timers = [/^\S+config\.json:3:25: timers\.jobs\[0\]\.class: .*did you mean "Tick"\?$/m]

    for (const [verb, wanted] of [
      ['check', [...events, ...timers]],
      ['start', events],
    ] as const) {
      const { code, stderr } = await run(t, [verb], { cwd: dir })

      assert.equal(code, 2)
      for (const pattern of wanted) assert.match(stderr, pattern)
    }
  })

  test('a handler that cannot be loaded is named, with exit code 2', async (t) => {
    const dir = project(t, GOOD, "import 'polyport'\nthrow new Error('no licence')\n")

    const { code, stderr } = await run(t, ['check'], { cwd: dir })

    assert.equal(code, 2)
    assert.match(stderr, /echo\.mjs/)
    assert.match(stderr, /no licence/)
  })

  test('-e reads the variables of that environment', async (t) => {
    const dir = project(t, GOOD.replace('"line"', '"${PORT_NAME}"'), ECHO)
    writeFileSync(join(dir, '.env.test'), 'PORT_NAME=line\n')

    assert.equal((await run(t, ['check'], { cwd: dir })).code, 2)
    assert.equal((await run(t, ['check', '-e', 'test'], { cwd: dir })).code, 0)
  })
})
