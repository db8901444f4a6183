import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { LAST_SECONDS, longestStopSeconds, queueSeconds } from '../../src/master/stop-time.ts'
import { ROOT } from '../cli/run-cli.ts'

const KILL_SECONDS = 1

test('queueSeconds() leaves a stop within longestStopSeconds(), whatever the others have taken of it', () => {
  for (const maxWaitSeconds of [0, 1, 30, 3600]) {
    for (const spent of [0, maxWaitSeconds / 2, maxWaitSeconds + KILL_SECONDS, maxWaitSeconds + LAST_SECONDS + KILL_SECONDS]) {
      const seconds = queueSeconds({ maxWaitSeconds }, spent)
      assert.ok(seconds >= Math.min(maxWaitSeconds, 2) && seconds <= maxWaitSeconds)
      assert.ok(spent + seconds + KILL_SECONDS < longestStopSeconds({ maxWaitSeconds }), `${maxWaitSeconds} ${spent}`)
    }
  }
})

test('the supervisors of deploy/ wait for the longest stop of the default maxWaitSeconds', () => {
  for (const [file, pattern] of [
    ['polyport.service', /^TimeoutStopSec=(\d+)$/m],
    ['supervisord.conf', /^stopwaitsecs=(\d+)$/m],
  ] as const) {
    const text = readFileSync(join(ROOT, 'deploy', file), 'utf8')
    assert.ok(Number(pattern.exec(text)?.[1]) >= longestStopSeconds({ maxWaitSeconds: 30 }), file)
  }
})
