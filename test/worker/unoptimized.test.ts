import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, DaemonProcess } from '../daemon-process.ts'

/** @param maxMs for which it waits at each place */
const busyFor = (maxMs: number): string => `
import { setFlagsFromString } from 'node:v8'
import { TcpHandler } from 'polyport'

setFlagsFromString('--allow-natives-syntax')
const isByTurbofan = new Function('run', 'return %ActiveTierIsTurbofan(run)')

/** Whether a loop that is hot is compiled by the optimizing compiler, sooner or later. */
function isOptimized(sum) {
  const end = performance.now() + ${maxMs}
  while (!isByTurbofan(sum) && performance.now() < end) sum(1000)
  return isByTurbofan(sum)
}

const makeSum = () => new Function('n', 'let sum = 0; for (let i = 0; i < n; i++) sum = (sum + i * i) % 1000; return sum')
const whenLoaded = isOptimized(makeSum())
let whenStarted

export default class Busy extends TcpHandler {
  onStart() {
    whenStarted = isOptimized(makeSum())
  }
  onReceive(connection) {
    connection.send([whenLoaded, whenStarted, isOptimized(makeSum())].join())
  }
}`

test('what a handler computes is optimized, when it is loaded, at the start and later', async (t) => {
  const daemon = await DaemonProcess.start(
    t,
    { ports: [{ name: 'busy', protocol: 'tcp', port: 0, handler: './busy.js' }] },
    { files: { 'busy.js': busyFor(10_000) } },
  )
  const client = await Client.open(await daemon.address('busy'))
  t.after(() => client.socket.destroy())

  client.write('are you?\r\n')

  assert.equal(await client.until('\r\n'), 'true,true,true\r\n')
})

test('whoever starts Node without an optimizing compiler has it so', async (t) => {
  const daemon = await DaemonProcess.start(
    t,
    { ports: [{ name: 'busy', protocol: 'tcp', port: 0, handler: './busy.js' }] },
    { files: { 'busy.js': busyFor(500) }, env: { NODE_OPTIONS: '--jitless' } },
  )
  const client = await Client.open(await daemon.address('busy'))
  t.after(() => client.socket.destroy())

  client.write('are you?\r\n')

  assert.equal(await client.until('\r\n'), 'false,false,false\r\n')
})
