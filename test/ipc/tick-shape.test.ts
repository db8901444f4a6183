import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { Client, DaemonProcess } from '../daemon-process.ts'

// What V8 remembers of the properties that nextTick gives its objects, after collections in which no tick waits.
const LOOK = `import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
setFlagsFromString('--allow-natives-syntax')
setFlagsFromString('--expose-gc')
const feedback = new Function('f', 'return %GetFeedback(f)')
const gc = runInNewContext('globalThis.gc')
export async function look() {
  for (let i = 0; i < 10; i++) {
    gc()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  process.nextTick(() => {})
  return (feedback(process.nextTick) ?? []).filter(([kind]) => kind.startsWith('Define')).map(([, state]) => state.split('\\n')[0]).join(' ')
}
`
const HANDLER = `import { TcpHandler } from 'polyport'
import { look } from './look.js'
export default class Looker extends TcpHandler {
  async onReceive(connection) { connection.send(await look()) }
}
`

test('a worker keeps the shape of its ticks over full collections', async (t) => {
  const ports = [{ name: 'look', protocol: 'tcp', port: 0, handler: './looker.js' }]
  const daemon = await DaemonProcess.start(t, { workers: 1, ports }, { files: { 'look.js': LOOK, 'looker.js': HANDLER } })
  const client = await Client.open(await daemon.address('look'))
  t.after(() => client.socket.destroy())
  client.write('look\r\n')

  assert.match(await client.until('\r\n'), /^(MONOMORPHIC ?)+\r\n$/)
})

test('Node itself does not keep it: when this fails, src/ipc/tick-shape.ts has no use any more', () => {
  const program = `for (let i = 0; i < 100; i++) await new Promise((resolve) => process.nextTick(resolve)); console.log(await look())`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', `${LOOK.replace('export ', '')}${program}`], { encoding: 'utf8' })

  assert.match(output, /MEGAMORPHIC/)
})
