import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type ConfigInput, createDaemon, type Daemon, Task } from 'polyport'
import { ROOT } from '../docs/blocks.ts'

const PARENT = join(ROOT, 'test', '.tmp')

/** Classes as a module of the user's has them; the test has its own of the same names to deliver. */
const HEAD = `
  import { appendFileSync } from 'node:fs'
  import { AsyncEvent, Task } from 'polyport'
  const note = (file, text) => appendFileSync(import.meta.dirname + '/' + file, text + '\\n')
`
const TASKS = `${HEAD}
  export class Echo extends Task { handle(input) { return input } }
  export class Timed extends Task { handle(due) { note('timed', due + ' ' + (Date.now() - due)) } }
  export class Fails extends Task { handle(word) { note('tries', String(Date.now())); throw new RangeError(word) } }
  export class Nth extends Task { handle(n) { if (this.attempt < n) throw new Error('not yet'); note('nth', String(this.attempt)) } }
  export class Single extends Task {
    static concurrency = 2
    static running = 0
    async handle() { note('single', String(++Single.running)); await new Promise((resolve) => setTimeout(resolve, 3)); Single.running-- }
  }
  export class Chain extends Task {
    async handle(n) { if (n > 0) await this.daemon.tasks.deliver(new Chain(n - 1)); else note('chain', 'end'); return n }
    async finish(output) { if (output === 1) await this.daemon.tasks.deliver(new Echo('from finish')); note('chain', 'finish ' + output) }
  }
  const ODD = {
    nothing: () => undefined,
    'no text': () => Object.create(null),
    object: () => ({ status: 503 }),
    'odd members': () => Object.assign(new Error(), { name: Symbol('odd'), message: () => {}, stack: [() => {}] }),
    'no members': () => Object.defineProperty(new Error('hidden'), 'message', { get() { throw new Error('never') } }),
  }
  export class Odd extends Task {
    handle({ what, isLate }) {
      const thrown = ODD[what]()
      if (isLate) return Promise.reject(thrown)
      throw thrown
    }
  }
  export class Hang extends Task { static timeoutMs = 50; handle() { return new Promise(() => {}) } }
`
const EVENTS = `${HEAD}
  export class Saved extends AsyncEvent {}
  export class Unheard extends AsyncEvent {}
  export class First { handle(event) { note('events', ['First', event instanceof Saved, JSON.stringify(event.data)].join(' ')) } }
  export class Second { handle(event) { note('events', 'Second'); if (event.data.fail) throw new Error('no') } }
`
const DOOR = `import { TcpHandler } from 'polyport'; export default class Door extends TcpHandler { onReceive() {} }`

class Echo extends Task<unknown, unknown> {
  handle(): unknown {
    return undefined
  }
}
/** A task of this name, with this input. */
function named(name: string, input?: unknown): Task<unknown, unknown> {
  return new ({ [name]: class extends Echo {} }[name] as typeof Echo)(input)
}

async function start(
  t: TestContext,
  config: Partial<ConfigInput> = {},
): Promise<{ daemon: Daemon; dir: string; lines: (file: string) => string[]; until: (done: () => boolean) => Promise<void> }> {
  mkdirSync(PARENT, { recursive: true })
  const dir = mkdtempSync(join(PARENT, 'tasks-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'tasks.mjs'), TASKS)
  writeFileSync(join(dir, 'events.mjs'), EVENTS)
  writeFileSync(join(dir, 'door.mjs'), DOOR)
  const daemon = await createDaemon({
    runtimeDir: join(dir, 'run'),
    log: { level: 'silent' },
    // A task that never ends is not waited for.
    maxWaitSeconds: 0.2,
    ports: [{ protocol: 'tcp', port: 0, handler: join(dir, 'door.mjs') }],
    tasks: { modules: [join(dir, 'tasks.mjs')], dataDir: join(dir, 'data'), concurrency: 4 },
    ...config,
    ...(config.events && { events: { ...config.events, modules: [join(dir, 'events.mjs')] } }),
  })
  t.after(() => daemon.stop())
  const lines = (file: string): string[] => {
    try {
      return readFileSync(join(dir, file), 'utf8').split('\n').filter(Boolean)
    } catch {
      return []
    }
  }
  const until = async (done: () => boolean): Promise<void> => {
    const end = Date.now() + 10_000
    while (!done()) {
      assert.ok(Date.now() < end, `within 10 s: ${done}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  return { daemon, dir, lines, until }
}

describe('daemon.tasks', () => {
  test('G6: large and odd inputs and outputs of run arrive equal', async (t) => {
    const { daemon } = await start(t)
    const values = [
      undefined,
      '',
      'x'.repeat(8191),
      'x'.repeat(8193),
      Buffer.alloc(65_535, 1),
      Buffer.alloc(65_537, 2),
      new Map([[1n, new Date(3)]]),
      Buffer.alloc(8 * 1024 * 1024, 7),
    ]

    for (const value of values) assert.deepStrictEqual(await daemon.tasks.run(new Echo(value)), value)
  })

  test('delayed tasks run within 20 ms of their time, in the order in which they are due', async (t) => {
    const { daemon, lines, until } = await start(t)
    const dues = [250, 50, 150, 100, 200]
    const latest: number[] = []
    for (let round = 1; round <= 3; round++) {
      await Promise.all(dues.map((delayMs) => daemon.tasks.deliver(named('Timed', Date.now() + delayMs), { delayMs })))
      await until(() => lines('timed').length === 5 * round)

      const ran = lines('timed')
        .slice(-5)
        .map((line) => line.split(' ').map(Number))
      assert.deepEqual(
        ran.map(([due]) => due),
        ran.map(([due]) => due).toSorted(),
      )
      const lates = ran.map(([, late = Number.NaN]) => late)
      assert.ok(
        lates.every((late) => late >= -1),
        String(lates),
      )
      latest.push(Math.max(...lates))
    }
    t.diagnostic(`late by at most ${latest} ms in each round`)
    // A busy machine may hold up one round or two, not each.
    assert.ok(Math.min(...latest) < 100, String(latest))
  })

  test('tries and backoffMs: each pause is twice the one before, and up to a quarter longer; then the task is kept with its error', async (t) => {
    const { daemon, lines, until } = await start(t)

    const rounds: number[][] = []
    for (let round = 1; round <= 3; round++) {
      await daemon.tasks.deliver(named('Fails', 'word'), { tries: 4, backoffMs: 40 })
      await until(() => lines('tries').length === 4 * round)

      const times = lines('tries').slice(-4).map(Number)
      rounds.push(times.slice(1).map((time, i) => time - (times[i] ?? 0)))
    }
    for (const [i, least] of [40, 80, 160].entries()) {
      const pauses = rounds.map((round) => round[i] ?? Number.NaN)
      assert.ok(Math.min(...pauses) >= least - 1, String(pauses))
      // A busy machine may hold up one round or two, not each.
      assert.ok(Math.min(...pauses) < 1.25 * least + 60, String(pauses))
    }
  })

  test('a task that succeeds at its third attempt is done', async (t) => {
    const { daemon, lines, until } = await start(t)

    await daemon.tasks.deliver(named('Nth', 3), { tries: 3, backoffMs: 1 })
    await until(() => lines('nth').length === 1)

    assert.deepEqual(lines('nth'), ['3'])
  })

  test('static concurrency holds over all that run', async (t) => {
    const { daemon, lines, until } = await start(t)

    await Promise.all(Array.from({ length: 30 }, () => daemon.tasks.deliver(named('Single'))))
    await until(() => lines('single').length === 30)

    assert.equal(Math.max(...lines('single').map(Number)), 2)
  })

  test('handle and finish deliver more', async (t) => {
    const { daemon, lines, until } = await start(t)

    await daemon.tasks.deliver(named('Chain', 3))
    await until(() => lines('chain').length === 5)

    assert.deepEqual(lines('chain').toSorted(), ['end', 'finish 0', 'finish 1', 'finish 2', 'finish 3'])
  })

  test('run: what is thrown, what takes too long for the caller, and what takes too long for its class', async (t) => {
    const { daemon } = await start(t)

    await assert.rejects(daemon.tasks.run(named('Fails', 'word')), (error: Error) => {
      const cause = error.cause as Error
      return error.name === 'TaskFailedError' && cause.name === 'RangeError' && cause.message === 'word' && /at Fails\.handle/.test(cause.stack ?? '')
    })
    await assert.rejects(daemon.tasks.run(named('Hang'), { timeoutMs: 10 }), { name: 'TaskTimeoutError', message: 'Hang was not done within 10 ms' })
    await assert.rejects(daemon.tasks.run(named('Hang')), { name: 'TaskTimeoutError', message: 'Hang has run for more than 50 ms' })
  })

  test('whatever is thrown is a failure of the task, told as far as it can be', async (t) => {
    const { daemon } = await start(t)
    const said = new Map<string, string>()
    for (const what of ['nothing', 'no text', 'object', 'odd members', 'no members']) {
      for (const isLate of [false, true]) {
        const { cause, name } = await daemon.tasks.run(named('Odd', { what, isLate }), { timeoutMs: 10_000 }).then(
          () => assert.fail(),
          (error: Error) => error,
        )
        assert.equal(name, 'TaskFailedError', what)
        said.set(what, (cause as Error).message)
      }
    }
    assert.equal(said.get('nothing'), 'undefined')
    assert.match(said.get('object') ?? '', /status: 503/)
  })

  test('what cannot be delivered is refused by a rejection', async (t) => {
    const { daemon } = await start(t)

    await assert.rejects(daemon.tasks.deliver({} as Task), /Cannot deliver this: expected an object of a class that extends Task/)
    await assert.rejects(daemon.tasks.deliver(named('Unknown')), /Cannot deliver Unknown: no module of "tasks" exports a class of this name/)
    await assert.rejects(daemon.tasks.deliver(new Echo({ f: () => {} })), { code: 'POLYPORT_TASK_INPUT', message: /input\.f: a function/ })
    await assert.rejects(daemon.tasks.deliver(new Echo(1), { tries: 0 }), /Cannot deliver with tries 0: expected a whole number from 1/)
    await assert.rejects(daemon.tasks.deliver(new Echo(1), { delayMs: -1 }), /Cannot deliver with delayMs -1/)
    await assert.rejects(daemon.tasks.deliver(new Echo(1), { delayMs: '5' as unknown as number }), /Cannot deliver with delayMs "5"/)
    await assert.rejects(daemon.tasks.deliver(new Echo(1), { delay: 5 } as object), /Cannot deliver with "delay": expected delayMs, tries, backoffMs/)
    await assert.rejects(daemon.tasks.run(new Echo(1), { timeoutMs: 0 }), /expected timeoutMs to be over 0/)
    await assert.rejects(daemon.tasks.deliver(new Echo(1), { backoffMs: Number.NaN }), /Cannot deliver with backoffMs NaN/)
  })

  test('one daemon at a time keeps its tasks in a folder, and one that could not start leaves it', async (t) => {
    const { daemon, dir } = await start(t)
    const tasks = { modules: [join(dir, 'tasks.mjs')], dataDir: join(dir, 'data') }

    await assert.rejects(start(t, { tasks }), { code: 'POLYPORT_CONFIG', message: /another daemon keeps its tasks in .*, expected a folder of its own/ })
    await daemon.stop()
    await assert.rejects(start(t, { tasks, timers: { modules: [join(dir, 'tasks.mjs')] } }), /there is no timer/)

    const next = await start(t, { tasks })
    assert.equal(await next.daemon.tasks.run(new Echo(1)), 1)
  })

  test('after a stop, and where the config has no tasks, there is no queue', async (t) => {
    const { daemon } = await start(t)
    const bare = await start(t, { tasks: undefined })

    await daemon.stop()

    await assert.rejects(daemon.tasks.deliver(new Echo(1)), { code: 'POLYPORT_QUEUE_CLOSED' })
    await assert.rejects(bare.daemon.tasks.deliver(new Echo(1)), { code: 'POLYPORT_QUEUE_CLOSED', message: /neither "tasks" nor "events"/ })
    await assert.rejects(bare.daemon.events.emit(undefined as never), { code: 'POLYPORT_QUEUE_CLOSED' })
  })
})

describe('daemon.events', () => {
  test('each listener gets the event, with its class, as a task of its own', async (t) => {
    const { daemon, lines, until } = await start(t, { events: { modules: ['x'], listeners: { Saved: ['First', 'Second'] } } })
    const { AsyncEvent } = await import('polyport')
    class Saved extends AsyncEvent<{ n: number; fail: boolean }> {}
    class Unheard extends AsyncEvent {}
    class Stranger extends AsyncEvent {}

    const ids = await daemon.events.emit(new Saved({ n: 7, fail: true }), { tries: 2, backoffMs: 1 })
    await until(() => lines('events').length === 3)

    assert.equal(ids.length, 2)
    assert.deepEqual(lines('events').toSorted(), ['First true {"n":7,"fail":true}', 'Second', 'Second'])
    assert.deepEqual(await daemon.events.emit(new Unheard(1)), [])
    await assert.rejects(daemon.events.emit(new Stranger(1)), /Cannot emit Stranger: no module of "events" exports a class of this name/)
    await assert.rejects(daemon.events.emit({} as never), /expected an object of a class that extends AsyncEvent/)
  })
})
