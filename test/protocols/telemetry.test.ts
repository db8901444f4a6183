import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DaemonStatus } from '../../src/admin/status.ts'
import { folder, launch, run } from '../cli/run-cli.ts'
import { Client } from '../daemon-process.ts'
import { ROOT } from '../docs/blocks.ts'
import { WebClient } from '../web-client.ts'

interface Summary {
  readonly devices: number
  readonly readings: number
  readonly mean: number | null
}

describe('polyport init --example telemetry', () => {
  test('is a gateway: lines and packets come in, screens see a summary, batches are archived, over a reload', async (t) => {
    const dir = join(folder(t), 'gateway')
    const written = await run(t, ['init', dir, '--example', 'telemetry'])
    assert.equal(written.code, 0, written.stderr)
    mkdirSync(join(dir, 'node_modules'))
    symlinkSync(ROOT, join(dir, 'node_modules', 'polyport'))
    const file = join(dir, 'config.json')
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/"port": \d+/g, '"port": 0'))
    const checked = await run(t, ['check'], { cwd: dir })
    assert.equal(checked.code, 0, checked.stderr)
    const { child, ended } = launch(t, ['start'], { cwd: dir })
    while (!String((await once(child.stdout, 'data'))[0]).includes('"Ready"'));
    const { ports } = JSON.parse((await run(t, ['status', '--json'], { cwd: dir })).stdout) as DaemonStatus
    const at = (name: string): number =>
      Number(
        ports
          .find((port) => port.name === name)
          ?.address.split(':')
          .at(-1),
      )
    const screen = await WebClient.open(t, `ws://127.0.0.1:${at('screens')}/`)
    const device = await Client.open({ host: '127.0.0.1', port: at('lines') })
    t.after(() => device.socket.destroy())
    const udp = createSocket('udp4')
    t.after(() => udp.close())

    device.write('boiler-1 20\nboiler-1 30\nnonsense\n')
    await device.until('ok\nok\nerror: expected a name and a number\n')
    udp.send('pump-1 10\npump-2 5\nnonsense\n', at('packets'), '127.0.0.1')

    const summary = async (isMeant: (summary: Summary) => boolean): Promise<Summary> => {
      for (;;) {
        const now = JSON.parse(String(await screen.next())) as Summary
        if (isMeant(now)) return now
      }
    }
    assert.deepEqual(await summary(({ devices }) => devices === 3), { devices: 3, readings: 4, mean: 15 })
    assert.equal((await run(t, ['reload'], { cwd: dir })).code, 0)
    device.write('boiler-1 60\n')
    await device.until('number\nok\n')
    assert.deepEqual(await summary(({ readings }) => readings === 5), { devices: 3, readings: 5, mean: 25 })

    const archive = join(dir, 'data', 'readings.csv')
    const lines = (): string[] => (existsSync(archive) ? readFileSync(archive, 'utf8').trim().split('\n') : [])
    for (let i = 0; i < 500 && lines().length < 5; i++) await sleep(20)
    assert.deepEqual(
      lines().map((line) => line.split(',').slice(0, 3).join()),
      ['1,boiler-1,20', '2,boiler-1,30', '3,pump-1,10', '4,pump-2,5', '5,boiler-1,60'],
    )
    const status = (await run(t, ['status'], { cwd: dir })).stdout
    assert.match(status, /^TIMER +WHEN/m)
    assert.match(status, /^Summary +every 1000 ms +waiting/m)
    assert.equal((await run(t, ['stop'], { cwd: dir })).code, 0)
    assert.equal((await ended).code, 0)
  })

  test('an example that is not there is refused with those that are', async (t) => {
    const dir = folder(t)

    const { code, stderr } = await run(t, ['init', dir, '--example', 'telemtry'])

    assert.equal(code, 2)
    assert.match(stderr, /^There is no example "telemtry", expected "telemetry"/)
    assert.ok(!existsSync(join(dir, 'config.json')))
  })
})
