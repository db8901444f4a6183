import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { becomes } from '../reliability/process-figures.ts'

const PORT = { name: 'p', protocol: 'tcp', port: 0, handler: './h.mjs' }
/** Does what a line asks for, with the process `work`: the answer, or the error, as JSON. */
const HANDLER = `
  import { TcpHandler } from 'polyport'
  const verbs = {
    ask: (work, x) => work.request(x),
    soon: (work, x) => work.request(x, { timeoutMs: 100 }),
    send: (work, x) => work.send(x),
    bytes: async (work, size) => {
      const bytes = Buffer.alloc(size, 'abcdefg')
      const back = await work.request({ bytes, map: new Map([['a', 1n]]) })
      return [back.bytes.length, back.bytes.equals(bytes), String(back.map.get('a'))]
    },
    function: (work) => work.send(() => 1),
  }
  export default class H extends TcpHandler {
    async onReceive(connection, message) {
      const { verb, x } = JSON.parse(String(message))
      try {
        connection.send(JSON.stringify((await verbs[verb](this.daemon.processes.work, x)) ?? null))
      } catch (error) {
        connection.send(JSON.stringify({ name: error.name, message: error.message, code: error.code }))
      }
    }
  }`

const WORK = `
  import { once } from 'node:events'
  import { CustomProcess } from 'polyport'
  export default class Work extends CustomProcess {
    async run() {
      this.log.info({ index: this.index, options: this.options }, 'running')
      await once(this.signal, 'abort')
    }
    onMessage(x, from) {
      if (x?.bytes) return x
      if (x === 'never') return new Promise(() => {})
      if (x === 'throw') throw new RangeError('too far')
      if (x === 'die') process.exit(3)
      if (x === 'log') return this.log.info({ from }, 'logged')
      return { x, from, index: this.index, pid: process.pid }
    }
    onReload() { this.log.info('onReload') }
    onStop() { this.log.info('onStop') }
  }`

function processes(source = WORK): Record<string, string> {
  return { 'h.mjs': HANDLER, 'p.mjs': source }
}

interface Answer {
  readonly x?: unknown
  readonly from?: unknown
  readonly index?: number
  readonly pid?: number
  readonly name?: string
  readonly message?: string
  readonly code?: string
}

/** One question after the other on a connection. */
async function asker(daemon: DaemonProcess): Promise<(verb: string, x?: unknown) => Promise<Answer>> {
  const client = await Client.open(await daemon.address('p'))
  return async (verb, x) => {
    client.received = Buffer.alloc(0)
    client.write(`${JSON.stringify({ verb, x })}\r\n`)
    return JSON.parse(await client.until('\r\n')) as Answer
  }
}

describe('custom processes', () => {
  test('answer requests, each of the `count` in turn, and know who asks', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work: { module: './p.mjs', count: 3 } } }, { files: processes() })
    const ask = await asker(daemon)

    const answers: Answer[] = []
    for (let i = 0; i < 6; i++) answers.push(await ask('ask', i))

    assert.deepEqual(
      answers.map(({ index }) => index),
      [0, 1, 2, 0, 1, 2],
    )
    assert.equal(new Set(answers.map(({ pid }) => pid)).size, 3)
    assert.deepEqual([answers[4]?.x, answers[4]?.from], [4, { role: 'worker', slot: 0 }])
    await becomes(
      [0, 1, 2].map((index) => ({ name: 'work', index, state: 'ready', messages: 2, restarts: 0 })),
      async () => (await daemon.status()).processes.map(({ name, index, state, messages, restarts }) => ({ name, index, state, messages, restarts })),
    )
    assert.match(readFileSync(`/proc/${answers[1]?.pid}/cmdline`, 'utf8'), /^polyport: process work 1 polyport/)
  })

  test('take payloads of 64 KiB and 8 MiB both ways, with what structured clone takes', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work: { module: './p.mjs' } } }, { files: processes() })
    const ask = await asker(daemon)

    for (const size of [0, 64 * 1024 - 1, 64 * 1024, 8 * 1024 * 1024]) assert.deepEqual(await ask('bytes', size), [size, true, '1'])
  })

  test('send() delivers without an answer, and refuses what cannot be cloned', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work: { module: './p.mjs', options: { a: 1 } } } }, { files: processes() })
    const ask = await asker(daemon)

    assert.equal(await ask('send', 'log'), true)

    assert.match(await daemon.line(/"msg":"logged"/), /"from":\{"role":"worker","slot":0\}/)
    assert.match(await daemon.line(/"msg":"running"/), /"options":\{"a":1\}/)
    assert.match((await ask('function')).message ?? '', /could not be cloned/)
  })

  test('a request rejects with what onMessage threw, when nothing answers in time, and when the process ends', async (t) => {
    const work = { module: './p.mjs', restartSeconds: 0 }
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work } }, { files: processes() })
    const ask = await asker(daemon)

    assert.deepEqual(await ask('ask', 'throw'), { name: 'RangeError', message: 'too far' })
    assert.equal((await ask('soon', 'never')).code, 'POLYPORT_REQUEST_TIMEOUT')
    // What it counted in its last half second would be lost with it.
    assert.match(await daemon.metrics(), /polyport_process_errors_total\{process="process work 0"\} 1\n/)
    assert.equal((await ask('ask', 'die')).code, 'POLYPORT_UNREACHABLE')

    assert.match(await daemon.line(/Work failed in onMessage/), /RangeError: too far/)
    // While none runs it waits for one.
    assert.equal((await ask('ask', 'again')).x, 'again')
  })

  test('without onReload end by onStop in a reload, too', async (t) => {
    const source = `
      import { CustomProcess } from 'polyport'
      export default class Work extends CustomProcess {
        run() { return new Promise((resolve) => { this.onStop = resolve }) }
        onMessage() { return { pid: process.pid } }
      }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work: { module: './p.mjs' } } }, { files: processes(source) })
    const ask = await asker(daemon)
    const before = await ask('ask')

    await daemon.request('POST', '/api/reload')
    const after = await ask('ask')

    assert.notEqual(after.pid, before.pid)
    assert.equal(await daemon.stop(), 0)
  })

  test('start again after a crash and after a clean return, both after `restartSeconds`', async (t) => {
    const source = `
      import { existsSync, writeFileSync } from 'node:fs'
      import { CustomProcess } from 'polyport'
      const steps = [1, 2, 3].map((step) => new URL('step' + step, import.meta.url))
      export default class Work extends CustomProcess {
        async run() {
          const step = steps.findIndex((file) => !existsSync(file))
          this.log.info({ step, at: Date.now() }, 'step')
          if (step === -1) return new Promise(() => {})
          writeFileSync(steps[step], '')
          if (step === 0) throw new RangeError('broken')
          if (step === 1) process.exit(7)
        }
      }`
    const work = { module: './p.mjs', restartSeconds: 0.3 }
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work } }, { files: processes(source) })

    await daemon.line(/"step":-1/)

    const times = daemon.lines.filter((line) => line.includes('"msg":"step"')).map((line) => (JSON.parse(line) as { at: number }).at)
    for (let i = 1; i < times.length; i++) assert.ok((times[i] ?? 0) - (times[i - 1] ?? 0) >= 300, String(times))
    assert.match(await daemon.line(/Work failed in run/), /RangeError: broken/)
    const died = await daemon.line(/Process died/)
    assert.match(died, /"process":"process work 0".*"code":1/)
    for (const key of ['role', 'pid']) assert.equal(died.split(`"${key}":`).length, 2, `twice in one line: ${key} of ${died}`)
    assert.match(await daemon.line(/Process has returned/), /"level":"info"/)
    assert.equal((await daemon.status()).processes[0]?.restarts, 3)
    await becomes(200, async () => (await daemon.request('GET', '/readyz')).status)
  })

  test('a crash loop backs off', async (t) => {
    const source = `import { CustomProcess } from 'polyport'\nexport default class Work extends CustomProcess { run() { throw new Error('broken') } }`
    const work = { module: './p.mjs', restartSeconds: 0 }
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work } }, { files: processes(source) })

    await daemon.line(/"delayMs":400/)

    const delays = daemon.lines.filter((line) => line.includes('Process died')).map((line) => (JSON.parse(line) as { delayMs: number }).delayMs)
    assert.deepEqual(delays.slice(0, 4), [0, 100, 200, 400])
  })

  test('what they print goes to the log line by line', async (t) => {
    const source = `
      import { CustomProcess } from 'polyport'
      console.log('at import')
      export default class Work extends CustomProcess {
        async run() {
          console.log('one\\ntwo %d', 2)
          process.stdout.write('thr')
          process.stdout.write(Buffer.from('ee\\n'))
          console.error('wrong')
          process.stderr.write('a\\u00e9'.slice(0, 2) + '\\n', 'utf8', () => this.log.info('written'))
          await new Promise(() => {})
        }
      }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work: { module: './p.mjs' } } }, { files: processes(source) })
    await daemon.line(/"msg":"written"/)

    const printed = daemon.lines
      .filter((line) => line.includes('"stream"'))
      .map((line) => JSON.parse(line) as { level: string; role: string; stream: string; msg: string })

    assert.deepEqual(
      printed.map(({ level, role, stream, msg }) => [level, role, stream, msg]),
      [
        ['info', 'process work 0', 'stdout', 'at import'],
        ['info', 'process work 0', 'stdout', 'one'],
        ['info', 'process work 0', 'stdout', 'two 2'],
        ['info', 'process work 0', 'stdout', 'three'],
        ['warn', 'process work 0', 'stderr', 'wrong'],
        ['warn', 'process work 0', 'stderr', 'aé'],
      ],
    )
  })

  test('with `stdio` inherit, what they print stays as it is', async (t) => {
    const source = `import { CustomProcess } from 'polyport'\nexport default class Work extends CustomProcess { async run() { console.log('as it is'); await new Promise(() => {}) } }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work: { module: './p.mjs', stdio: 'inherit' } } }, { files: processes(source) })

    assert.equal(await daemon.line(/as it is/), 'as it is')
  })

  test('a reload calls onReload, waits for run, and only then begins the new one; messages wait for it', async (t) => {
    const source = (generation: number): string => `
      import { once } from 'node:events'
      import { CustomProcess } from 'polyport'
      export default class Work extends CustomProcess {
        async run() {
          this.log.info({ generation: ${generation} }, 'begun')
          await once(this.signal, 'abort')
          await new Promise((resolve) => setTimeout(resolve, 200))
          this.log.info({ generation: ${generation} }, 'returned')
        }
        onReload() { this.log.info('onReload') }
        onStop() { this.log.info('onStop') }
        onMessage(x) { return { x: ${generation} } }
      }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], processes: { work: { module: './p.mjs' } } }, { files: processes(source(1)) })
    await daemon.line(/"msg":"begun"/)
    const ask = await asker(daemon)
    writeFileSync(join(daemon.dir, 'p.mjs'), source(2))

    assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
    assert.equal((await ask('ask', 0)).x, 2)
    assert.equal(await daemon.stop(), 0)

    const seen = daemon.lines.flatMap((line) => /"msg":"(begun|returned|onReload|onStop)"/.exec(line)?.[1] ?? [])
    assert.deepEqual(seen, ['begun', 'onReload', 'returned', 'begun', 'onStop', 'returned'])
  })

  test('a stop waits for one that ends because of a reload, too', async (t) => {
    const source = `
      import { once } from 'node:events'
      import { setTimeout as sleep } from 'node:timers/promises'
      import { CustomProcess } from 'polyport'
      export default class Work extends CustomProcess {
        async run() {
          this.log.info('running')
          await once(this.signal, 'abort')
          this.log.info('ending')
          await sleep(1000)
          this.log.info('done')
        }
      }`
    const daemon = await DaemonProcess.start(t, { maxWaitSeconds: 20, ports: [PORT], processes: { work: { module: './p.mjs' } } }, { files: processes(source) })
    await daemon.line(/"msg":"running"/)
    process.kill(daemon.pid, 'SIGHUP')
    await daemon.line(/"msg":"ending"/)

    assert.equal(await daemon.stop(), 0)

    const count = (what: string): number => daemon.lines.filter((line) => line.includes(`"msg":"${what}"`)).length
    assert.ok(count('done') > 0 && count('done') === count('running'), daemon.lines.join('\n'))
  })

  test('one that does not end is ended after `maxWaitSeconds`, also when it blocks', async (t) => {
    const source = `
      import { CustomProcess } from 'polyport'
      export default class Work extends CustomProcess {
        run() { return new Promise(() => {}) }
        onMessage() { for (;;); }
      }`
    const config = { ports: [PORT], maxWaitSeconds: 0.2, processes: { work: { module: './p.mjs', count: 2 } } }
    const daemon = await DaemonProcess.start(t, config, { files: processes(source) })
    const ask = await asker(daemon)
    await ask('send', 'block')

    assert.equal(await daemon.stop(), 0)

    await daemon.line(/Custom process has not returned in time/)
  })

  test('more, fewer and other processes take effect in a reload', async (t) => {
    const config = (processes: object): object => ({ runtimeDir: './run', ports: [PORT], processes })
    const daemon = await DaemonProcess.start(t, config({ work: { module: './p.mjs' }, gone: { module: './p.mjs' } }), { files: processes() })
    const pids = (await daemon.status()).processes.map(({ pid }) => pid)
    writeFileSync(
      join(daemon.dir, 'config.json'),
      JSON.stringify(config({ work: { module: './p.mjs', count: 2 }, off: { module: './p.mjs', enabled: false } })),
    )

    assert.equal((await daemon.request('POST', '/api/reload')).status, 200)

    let status = await daemon.status()
    while (status.processes.some(({ state }) => state !== 'ready')) status = await daemon.status()
    assert.deepEqual(
      status.processes.map(({ name, index }) => `${name} ${index}`),
      ['work 0', 'work 1'],
    )
    assert.ok(status.processes.every(({ pid }) => !pids.includes(pid)))
  })
})

const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  [
    'no default export',
    'export class Work {}',
    /processes\.work\.module: there is no default export, expected a class that extends CustomProcess: write "export default class Work"/,
  ],
  ['another class', 'export default class Work {}', /Work does not extend CustomProcess, expected a class that extends CustomProcess/],
  [
    'no run',
    'import { CustomProcess } from "polyport"; export default class Work extends CustomProcess {}',
    /there is no run, which every CustomProcess must have/,
  ],
  [
    'a misspelt callback',
    'import { CustomProcess } from "polyport"; export default class Work extends CustomProcess { run() {} onMesage() {} }',
    /nothing calls onMesage, did you mean onMessage\?/,
  ],
  [
    'a constructor that throws',
    'import { CustomProcess } from "polyport"; export default class Work extends CustomProcess { run() {} x = nothing }',
    /the constructor of Work throws: nothing is not defined/,
  ],
]

describe('a custom process that cannot be used is refused at the start:', () => {
  for (const [name, source, expected] of MISTAKES) {
    test(name, async (t) => {
      const daemon = DaemonProcess.spawn(t, { ports: [PORT], processes: { work: { module: './p.mjs' } } }, { files: processes(source) })

      assert.equal(await daemon.exited, 2)

      assert.match(daemon.lines.join('\n'), expected)
    })
  }
})
