import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, ROOT } from '../cli/run-cli.ts'
import { Client } from '../daemon-process.ts'
import { answers, eventually } from './process-figures.ts'

const PRINTER = `import { TcpHandler } from 'polyport'
export default class Printer extends TcpHandler {
  onReceive(connection, message) {
    console.log('printed'); console.error('printed'); process.stdout.write('printed\\n'); process.stderr.write('printed\\n')
    this.log.info('logged')
    connection.send(process.pid + ' ' + message)
  }
}
`

for (const where of ['a full disk', 'a pipe that nobody reads any more']) {
  test(`stdout and stderr are ${where}: the daemon starts and serves, and so do handlers that print`, async (t) => {
    const dir = folder(t)
    writeFileSync(join(dir, 'printer.mjs'), PRINTER)
    const admin = { path: './admin.sock' }
    const config = { workers: 1, admin, ports: [{ name: 'line', protocol: 'tcp', path: './line.sock', handler: './printer.mjs' }] }
    writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
    const full = openSync('/dev/full', 'w')
    const stdio = where === 'a full disk' ? full : 'pipe'
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'bin.js'), 'start'], { cwd: dir, stdio: ['ignore', stdio, stdio] })
    closeSync(full)
    child.stdout?.destroy()
    child.stderr?.destroy()
    const ended = once(child, 'exit')
    t.after(() => child.kill('SIGKILL'))
    await eventually('it listens', () => answers({ path: join(dir, 'line.sock') }))
    const client = await Client.open({ path: join(dir, 'line.sock') })
    t.after(() => client.socket.destroy())
    const pids = new Set<number>()
    for (let i = 0; i < 20; i++) {
      const before = client.received.length
      client.write('hi\r\n')
      await client.until(before + ' hi\r\n'.length + 1)
      await eventually('the line is whole', () => client.text.slice(before).endsWith('\r\n'))
      pids.add(Number.parseInt(client.text.slice(before), 10))
    }
    assert.equal(pids.size, 1)
    assert.equal(child.exitCode, null)
    const scrape = await Client.open({ path: join(dir, 'admin.sock') })
    t.after(() => scrape.socket.destroy())
    scrape.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    await eventually('the page is whole', () => scrape.text.includes('polyport_custom_metrics_omitted '))
    const lost = (process: string): number => Number(new RegExp(`polyport_log_lines_dropped_total\\{process="${process}"\\} (\\d+)`).exec(scrape.text)?.[1])
    assert.ok(lost('master') > 0, scrape.text)
    assert.ok(lost('worker 0') >= 20, scrape.text)
    child.kill('SIGTERM')
    assert.equal((await ended)[0], 0)
  })
}
