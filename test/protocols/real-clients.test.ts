import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, type TestContext, test } from 'node:test'
import { ExampleDaemon, program } from './example-daemon.ts'

const skipOf = (name: string): string | false => (program(name) === undefined ? `${name} is not installed` : false)

describe('clients that everybody has', () => {
  let example: ExampleDaemon

  before(async () => {
    example = await ExampleDaemon.start()
  })

  after(() => example?.stop())

  function run(
    t: TestContext,
    command: string,
    args: readonly string[],
  ): { child: ChildProcessWithoutNullStreams; output: () => string; until: (text: string) => Promise<void> } {
    const child = spawn(command, args)
    t.after(() => child.kill('SIGKILL'))
    let received = ''
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      received += text
    })
    const until = async (text: string): Promise<void> => {
      while (!received.includes(text)) await once(child.stdout, 'data', { signal: AbortSignal.timeout(20_000) })
    }
    return { child, output: () => received, until }
  }

  test('telnet gets each line back, and bye for quit', { skip: skipOf('telnet') }, async (t) => {
    const { child, output, until } = run(t, 'telnet', ['127.0.0.1', String(example.port('line'))])
    const ended = once(child, 'exit')

    await until('Escape character')
    child.stdin.write('hello\n')
    await until('hello')
    child.stdin.write('quit\n')
    await until('bye')
    await ended

    assert.match(output(), /hello\r?\n[\s\S]*bye\r?\n/)
  })

  test('nc gets a datagram back', { skip: skipOf('nc') }, async (t) => {
    const { child, output, until } = run(t, 'nc', ['-u', '-w1', '127.0.0.1', String(example.port('dgram'))])

    child.stdin.end('hi\n')
    await until('hi\n')

    assert.equal(output(), 'hi\n')
  })

  test('curl gets a hello', { skip: skipOf('curl') }, async (t) => {
    const { child, output } = run(t, 'curl', ['-sS', `127.0.0.1:${example.port('api')}`])

    assert.deepEqual(await once(child, 'close'), [0, null])
    assert.equal(output(), 'Hello from example! GET / on port api\n')
  })
})
