import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { type TestContext, test } from 'node:test'
import { Client, DaemonProcess } from '../daemon-process.ts'

const OPTIONS = `
import { TcpHandler } from 'polyport'
export default class Options extends TcpHandler { onReceive(connection) { connection.send(process.execArgv.join(' ')) } }`

/** What a worker's Node was started with. */
async function optionsOf(t: TestContext, workers: number, env: Record<string, string> = {}): Promise<string> {
  const ports = [{ name: 'options', protocol: 'tcp', port: 0, handler: './options.js' }]
  const daemon = await DaemonProcess.start(t, { workers, ports }, { files: { 'options.js': OPTIONS }, env })
  const client = await Client.open(await daemon.address('options'))
  t.after(() => client.socket.destroy())
  client.write('which?\r\n')
  return client.until('\r\n')
}

test('a worker has helper threads on the processors that no other worker has, at least one and at most four', async (t) => {
  assert.match(await optionsOf(t, availableParallelism()), /--v8-pool-size=1\b/)
  assert.match(await optionsOf(t, 1), new RegExp(`--v8-pool-size=${Math.min(4, Math.max(1, availableParallelism() - 1))}\\b`))
})

test('what NODE_OPTIONS says of V8 holds', async (t) => {
  const options = await optionsOf(t, 1, { NODE_OPTIONS: '--v8-pool-size=3 --max-semi-space-size=16' })

  assert.doesNotMatch(options, /pool|semi/)
})
