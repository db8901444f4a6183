import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TaskDaemon } from '../reliability/task-daemon.ts'
import { run as runCli } from './run-cli.ts'

const WRONG: readonly [args: string[], said: string][] = [
  [['show'], 'Which task? polyport tasks show ID'],
  [['show', 'all'], 'Cannot show task "all": expected its number'],
  [['retry', 'some'], 'Cannot retry task "some": expected its number, or all'],
  [['drop', '1', '--state', 'failed'], '--state goes with polyport tasks list'],
  [['failed', '--state', 'waiting'], '--state goes with polyport tasks list'],
  [['list', '7'], 'polyport tasks list takes no number: one task is what polyport tasks show 7 shows'],
  [['list', '--limit', '0'], '--limit must be a whole number from 1 to 10000'],
  [['list', '--limit', 'few'], '--limit must be a whole number from 1 to 10000'],
]

describe('polyport tasks', () => {
  test('lists, shows, retries and drops tasks, and says what cannot be done', async (t) => {
    const tasks = await TaskDaemon.start(t)
    const config = ['-c', `${tasks.daemon.dir}/config.json`]
    const run = async (...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> => runCli(t, [...args, ...config])
    const [waiting] = await tasks.post('Echo', [{ deep: [1] }], { delayMs: 3_600_000 })
    const [failing] = await tasks.post('Fails', ['no luck'])
    await tasks.daemon.line(/Task failed/)

    const list = await run('tasks', 'list')
    const failed = await run('tasks', 'failed')
    const show = await run('tasks', 'show', String(failing?.value))

    assert.match(list.stdout, new RegExp(`^ +TASK .*\\n${waiting?.value} +Echo +waiting .* 0/1`))
    assert.match(failed.stdout, new RegExp(`\\n${failing?.value} +Fails +failed .* 1/1 +RangeError: no luck`))
    assert.match(show.stdout, /^input +'no luck'$/m)
    assert.match(show.stdout, /^error +RangeError: no luck\n +at Fails\.handle/m)
    assert.deepEqual(JSON.parse((await run('tasks', 'show', String(waiting?.value), '--json')).stdout)[0].input, '{ deep: [ 1 ] }')

    assert.equal((await run('tasks', 'retry', 'all')).stdout, '1 task to be tried again\n')
    await tasks.until(() => tasks.lines('tries').length === 2, 'it is tried again')
    await tasks.until(async () => (await tasks.daemon.status()).tasks?.failed === 1, 'it has failed again')
    assert.equal((await run('tasks', 'drop', 'all')).stdout, '1 task dropped\n')
    assert.equal((await run('tasks', 'drop', String(waiting?.value))).stdout, '1 task dropped\n')
    assert.equal((await run('tasks', 'list')).stdout, 'No tasks\n')

    const unknown = await run('tasks', 'show', '1')
    assert.deepEqual([unknown.code, unknown.stderr], [1, 'There is no task 1: it is done, or was never there\n'])
    for (const [args, said] of WRONG) {
      const { code, stderr } = await run('tasks', ...args)
      assert.deepEqual([code, stderr], [2, `${said}\n`])
    }
    const status = await run('status')
    assert.match(status.stdout, /TASK WORKER +PROCESS[\s\S]*Tasks: 0 wait, 0 run, 0 kept as failed\n\nCLASS +WAITING[\s\S]*Fails +0 +0 +0 +2 +0/)
  })
})
