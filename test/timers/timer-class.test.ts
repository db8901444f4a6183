import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { resolveConfig } from '../../src/config/load-config.ts'
import { formatProblem } from '../../src/errors.ts'
import { type LoadedTimer, loadTimers } from '../../src/timers/timer-class.ts'

const CONTRACT = pathToFileURL(fileURLToPath(new URL('../../src/contracts/timer.ts', import.meta.url)))
const root = realpathSync(mkdtempSync(join(tmpdir(), 'polyport-timers-')))
after(() => rmSync(root, { recursive: true, force: true }))
let numFolders = 0

/** Loads modules `t0.ts`, `t1.ts`, … of these sources. */
async function load(
  sources: readonly string[],
  jobs: readonly { class: string; schedule?: string }[] = [],
): Promise<{ timers: LoadedTimer[]; problems: string[] }> {
  const dir = join(root, String(++numFolders))
  mkdirSync(dir)
  for (const [index, source] of sources.entries()) writeFileSync(join(dir, `t${index}.ts`), `import { Timer } from '${CONTRACT}'\n${source}`)
  const modules = sources.map((_, index) => `./t${index}.ts`)
  const config = resolveConfig({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts' }], timers: { modules, jobs: [...jobs] } }, { dir })
  const { timers, problems } = await loadTimers({ ...config, file: 'config.json' })
  return { timers, problems: problems.map((problem) => formatProblem(problem).replaceAll(`${dir}/`, '')) }
}

const MISTAKES: readonly (readonly [name: string, source: string, ...expected: string[]])[] = [
  ['a module without a timer', 'export const a = 1', 't0.ts: timers.modules[0]: there is no timer, expected an exported class that extends Timer'],
  [
    'a class that extends nothing',
    'export class Tick { interval = 5; run() {} }',
    't0.ts: timers.modules[0]: Tick has a method run and does not extend Timer, expected "class Tick extends Timer"',
  ],
  [
    'a class without a name',
    'export default class extends Timer { interval = 5; run() {} }',
    't0.ts: timers.modules[0]: the class that is exported as default has no name, by which it would be known',
  ],
  ['no run', 'export class A extends Timer { interval = 5 }', 't0.ts: timers.modules[0]: timer A: there is no method run, which every timer must have'],
  [
    'a misspelt run',
    'export class A extends Timer { interval = 5; onRun() {} }',
    't0.ts: timers.modules[0]: timer A: there is no method run, which every timer must have: did you mean run instead of onRun?',
  ],
  [
    'neither interval nor schedule',
    'export class A extends Timer { run() {} }',
    't0.ts: timers.modules[0]: timer A: there is neither interval nor schedule, expected one of them',
  ],
  [
    'a misspelt interval',
    'export class A extends Timer { intervall = 5; run() {} }',
    't0.ts: timers.modules[0]: timer A: there is neither interval nor schedule, expected one of them: did you mean interval instead of intervall?',
  ],
  [
    'misspelt parameters',
    'export class A extends Timer { interval = 5; intervals = []; imediate = true; timeZone = "Europe/Berlin"; run() {} }',
    't0.ts: timers.modules[0]: timer A: nothing reads imediate, did you mean immediate?',
    't0.ts: timers.modules[0]: timer A: nothing reads timeZone, did you mean timezone?',
  ],
  [
    'interval and schedule',
    'export class A extends Timer { interval = 5; schedule = "* * * * *"; run() {} }',
    't0.ts: timers.modules[0]: timer A: there is an interval and a schedule, expected one of them',
  ],
  [
    'an interval of text',
    'export class A extends Timer { interval = "5"; run() {} }',
    't0.ts: timers.modules[0]: timer A: interval is a string, expected a number of milliseconds',
  ],
  [
    'an interval of 0',
    'export class A extends Timer { interval = 0; run() {} }',
    't0.ts: timers.modules[0]: timer A: interval is 0, expected 1 to 31622400000 milliseconds',
  ],
  [
    'no interval at all',
    'export class A extends Timer { interval = NaN; run() {} }',
    't0.ts: timers.modules[0]: timer A: interval is NaN, expected 1 to 31622400000 milliseconds',
  ],
  [
    'no cron expression',
    'export class A extends Timer { schedule = "61 * * * *"; run() {} }',
    't0.ts: timers.modules[0]: timer A: schedule "61 * * * *" is no cron expression: Invalid value for minute: 61',
  ],
  [
    'a day that does not come',
    'export class A extends Timer { schedule = "0 0 30 2 *"; run() {} }',
    't0.ts: timers.modules[0]: timer A: schedule "0 0 30 2 *" names no time that is still to come',
  ],
  [
    'no such time zone',
    'export class A extends Timer { schedule = "* * * * *"; timezone = "Mars/Base"; run() {} }',
    't0.ts: timers.modules[0]: timer A: there is no time zone "Mars/Base", expected a name such as "Europe/Berlin"',
  ],
  [
    'two mistakes',
    'export class A extends Timer { immediate = 1 }\nexport class B extends Timer { interval = 5; run() {} constructor() { super(); throw new Error("no") } }',
    't0.ts: timers.modules[0]: timer A: there is no method run, which every timer must have',
    't0.ts: timers.modules[0]: timer A: immediate is a number, expected true or false',
    't0.ts: timers.modules[0]: timer A: there is neither interval nor schedule, expected one of them',
    't0.ts:3:86: timers.modules[0]: timer B: the constructor throws: no',
  ],
]

describe('loadTimers()', () => {
  for (const [name, source, ...expected] of MISTAKES) {
    test(`refuses ${name}`, async () => {
      const { problems } = await load([source])

      assert.deepEqual(problems, expected)
    })
  }

  test('refuses a name that two modules have', async () => {
    const { problems } = await load(['export class A extends Timer { interval = 5; run() {} }', 'export class A extends Timer { interval = 5; run() {} }'])

    assert.match(problems.join(), /t1\.ts: timers\.modules\[1\]: there is a timer A in .*t0\.ts already, expected a name of its own/)
  })

  test('names the config where that has the wrong schedule', async () => {
    const { problems } = await load(['export class A extends Timer { interval = 5; run() {} }'], [{ class: 'A', schedule: '61 * * * *' }])

    assert.deepEqual(problems, ['config.json: timers.jobs[0]: timer A: schedule "61 * * * *" is no cron expression: Invalid value for minute: 61'])
  })

  test('refuses a job for a timer that is not there, and names the nearest', async () => {
    const { problems } = await load(['export class Tick extends Timer { interval = 5; run() {} }'], [{ class: 'Tack' }])

    assert.deepEqual(problems, ['config.json: timers.jobs[0].class: no module of timers has a timer "Tack", did you mean "Tick"?'])
  })

  test('says where a module cannot be imported, and not that its timers are missing', async () => {
    const { problems } = await load(['export class Tick extends Timer { run() {} }', 'let a = = 1'], [{ class: 'Tock' }])

    assert.equal(problems.length, 2)
    assert.match(problems[0] ?? '', /^t1\.ts.*: timers\.modules\[1\]: syntax error/)
  })

  test('takes every exported timer of every module once, and leaves other exports alone', async () => {
    const { timers, problems } = await load([
      'class Base extends Timer { interval = 5; run() {} }\nexport class A extends Base {}\nexport { A as B }\nexport default A\nexport class Other {}\nexport const f = () => {}',
      'export class C extends Timer { schedule = "*/5 * * * *"; run() {} }',
    ])

    assert.deepEqual(problems, [])
    assert.deepEqual(
      timers.map(({ name, when, immediate, overlap }) => ({ name, when, immediate, overlap })),
      [
        { name: 'A', when: 'every 5 ms', immediate: false, overlap: false },
        { name: 'C', when: '*/5 * * * *', immediate: false, overlap: false },
      ],
    )
  })

  test('lets the config override what the class says', async () => {
    const source = `
      export class A extends Timer { interval = 5; immediate = true; run() {} }
      export class B extends Timer { schedule = '* * * * *'; timezone = 'UTC'; run() {} }
      export class C extends Timer { interval = 5; run() {} }
      export class D extends Timer { interval = 5; overlap = true; run() {} }`
    const jobs = [
      { class: 'A', interval: 500, immediate: false, options: { to: 'x' } },
      { class: 'B', schedule: '0 3 * * *', timezone: 'Europe/Berlin' },
      { class: 'C', enabled: false },
    ]

    const { timers, problems } = await load([source], jobs)

    assert.deepEqual(problems, [])
    assert.deepEqual(
      timers.map(({ name, when, immediate, overlap, options }) => [name, when, immediate, overlap, options]),
      [
        ['A', 'every 500 ms', false, false, { to: 'x' }],
        ['B', '0 3 * * * (Europe/Berlin)', false, false, {}],
        ['D', 'every 5 ms', false, true, {}],
      ],
    )
  })
})
