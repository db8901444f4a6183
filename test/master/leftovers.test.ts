import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isRunning } from '../../src/master/leftovers.ts'
import { eventually } from '../reliability/process-figures.ts'

// The number of exit(2), which ends one thread alone.
const EXIT: Readonly<Record<string, number>> = { x64: 60, arm64: 93 }
const number = EXIT[process.arch]
const PROGRAM = `
import ctypes, threading, time
threading.Thread(target=lambda: time.sleep(60)).start()
ctypes.CDLL(None).syscall(${number}, 0)
`
const skip = (number === undefined || spawnSync('python3', ['--version']).error !== undefined) && 'needs python3'

test('isRunning() is true of a process whose first thread has ended and others not: its sockets are still open', { skip }, async (t) => {
  const child = spawn('python3', ['-c', PROGRAM], { stdio: 'ignore' })
  const { pid = 0 } = child
  t.after(() => child.kill('SIGKILL'))
  await eventually('it is a zombie', () => /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1')))

  assert.equal(isRunning(pid), true)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(isRunning(pid), false)
})
