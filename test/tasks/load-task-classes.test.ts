import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import { loadTaskClasses } from '../../src/tasks/load-task-classes.ts'
import { ROOT } from '../docs/blocks.ts'

const HEAD = "import { AsyncEvent, Task } from 'polyport'\n"

/** Loads modules of tasks and events with this text. @returns every mistake, as `path: message` */
async function mistakes(
  t: TestContext,
  { tasks, events, listeners = {} }: { tasks?: readonly string[]; events?: string; listeners?: Record<string, string[]> },
): Promise<string[]> {
  const parent = join(ROOT, 'test', '.tmp')
  mkdirSync(parent, { recursive: true })
  const dir = mkdtempSync(join(parent, 'classes-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const write = (name: string, text: string): string => {
    writeFileSync(join(dir, name), HEAD + text)
    return `./${name}`
  }
  const config = resolveConfig(
    {
      ports: [{ protocol: 'tcp', port: 0, handler: './door.mjs' }],
      ...(tasks && { tasks: { modules: tasks.map((text, i) => write(`t${i}.mjs`, text)) } }),
      ...(events !== undefined && { events: { modules: [write('e.mjs', events)], listeners } }),
    },
    { dir },
  )
  const { problems } = await loadTaskClasses(config)
  return problems.map(({ path, message }) => `${path}: ${message.replaceAll(`${dir}/`, '')}`)
}

const GOOD = 'export class A extends Task { handle() {} }'
const EVENTS = 'export class Saved extends AsyncEvent {}; export class Mail { handle() {} }'

describe('loadTaskClasses()', () => {
  for (const [what, modules, expected] of [
    ['a module without a task', { tasks: ['export const x = 1'] }, ['tasks.modules[0]: there is no task, expected an exported class that extends Task']],
    [
      'a class that does not extend Task',
      { tasks: ['export class A { handle() {} }'] },
      ['tasks.modules[0]: A has a method handle and does not extend Task, expected "class A extends Task"'],
    ],
    [
      'a task without handle',
      { tasks: ['export class A extends Task { Handle() {} }'] },
      ['tasks.modules[0]: A: there is no method handle, which every task must have: did you mean handle instead of Handle?'],
    ],
    ['two tasks of one name', { tasks: [GOOD, GOOD] }, ['tasks.modules[1]: there is a task A in t0.mjs already, expected a name of its own']],
    [
      'a task without a name',
      { tasks: ['export default class extends Task { handle() {} }'] },
      ['tasks.modules[0]: the class that is exported as default has no name, by which it would be known'],
    ],
    [
      'statics that are no numbers',
      { tasks: ['export class A extends Task { static concurrency = 0.5; static timeoutMs = "1s"; handle() {} }'] },
      [
        'tasks.modules[0]: A: static concurrency is 0.5, expected a whole number over 0',
        'tasks.modules[0]: A: static timeoutMs is a string, expected a number of milliseconds over 0',
      ],
    ],
    [
      'statics and a finish that are misspelt',
      { tasks: ['export class A extends Task { static concurency = 2; static timeout = 500; handle() {} onFinish() {} }'] },
      [
        'tasks.modules[0]: A: nothing reads static concurency, did you mean concurrency?',
        'tasks.modules[0]: A: nothing reads static timeout, did you mean timeoutMs?',
        'tasks.modules[0]: A: nothing calls onFinish, did you mean finish?',
      ],
    ],
    ['members of its own', { tasks: ['export class A extends Task { static times = 2; static tries = 5; handle() {} finished() {} run() {} }'] }, []],
    [
      'an event that no module exports',
      { events: EVENTS, listeners: { Savd: ['Mail'] } },
      ['events.listeners.Savd: no module of events exports an event "Savd", did you mean "Saved"?'],
    ],
    [
      'a listener that no module exports',
      { events: EVENTS, listeners: { Saved: ['Mial'] } },
      ['events.listeners.Saved[0]: no module of events exports a class "Mial", did you mean "Mail"?'],
    ],
    [
      'a listener that is there twice',
      { events: EVENTS, listeners: { Saved: ['Mail', 'Mail'] } },
      ['events.listeners.Saved[1]: "Mail" is there already, expected each listener once'],
    ],
    [
      'a listener without handle',
      { events: `${EVENTS}; export class Deaf {}`, listeners: { Saved: ['Deaf'] } },
      ['events.modules[0]: Deaf: there is no method handle, which every listener must have'],
    ],
    [
      'a listener that is a task',
      { events: `${EVENTS}; ${GOOD}`, listeners: { Saved: ['A'] } },
      ['events.listeners.Saved[0]: A extends Task, expected a class that does not, with a method handle(event)'],
    ],
    [
      'a listener with the name of a task',
      { tasks: ['export class Mail extends Task { handle() {} }'], events: EVENTS, listeners: { Saved: ['Mail'] } },
      ['events.modules[0]: Mail is a task in t0.mjs already, expected a name of its own'],
    ],
    ['what is whole', { tasks: [GOOD], events: EVENTS, listeners: { Saved: ['Mail'] } }, []],
  ] as const) {
    test(`tells of ${what}`, async (t) => {
      assert.deepEqual(await mistakes(t, structuredClone(modules) as Parameters<typeof mistakes>[1]), expected)
    })
  }
})
