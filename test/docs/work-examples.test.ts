import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { WebClient } from '../web-client.ts'
import { blockWith } from './blocks.ts'

/** The block of a page that is a config, with every port chosen by the system. */
function config(page: string, words: string): { ports: { name: string }[] } & Record<string, unknown> {
  return JSON.parse(blockWith(page, words).replace(/"port": \d+/g, '"port": 0')) as ReturnType<typeof config>
}

const LINE = { name: 'line', protocol: 'tcp', port: 0, handler: './motd.ts' }
const MOTD = blockWith('docs/handlers.md', 'class Motd')

describe('the examples run:', () => {
  test('the clock of docs/timers.md is published to screens', async (t) => {
    const page = 'docs/timers.md'
    const screen = `import { WebSocketHandler } from 'polyport'
      export default class Screen extends WebSocketHandler { onOpen(connection) { connection.join('screens') } onMessage() {} }`
    const whole = config(page, '"screen"')
    const files = { 'timers.ts': blockWith(page, 'class Clock'), 'screen.mjs': screen }
    const daemon = await DaemonProcess.start(t, { ...whole, ports: whole.ports.map((port) => ({ ...port, handler: './screen.mjs' })) }, { files })
    const { host, port } = await daemon.address('screen')

    const client = await WebClient.open(t, `ws://${host}:${port}/`)

    const times = [await client.next(), await client.next(), await client.next()].map((time) => Date.parse(String(time)))
    assert.ok(Number(times[2]) - Number(times[0]) >= 150, String(times))
    assert.deepEqual(
      (await daemon.status()).timers.map(({ name, when }) => `${name}: ${when}`),
      ['Clock: every 100 ms', 'Nightly: 30 3 * * * (Europe/Berlin)'],
    )
  })

  test('the jobs of docs/timers.md override the classes', async (t) => {
    const page = 'docs/timers.md'
    const files = { 'timers.ts': blockWith(page, 'class Clock'), 'motd.ts': MOTD }
    const daemon = await DaemonProcess.start(t, { ports: [LINE], ...(JSON.parse(blockWith(page, '"jobs"')) as object) }, { files })

    assert.deepEqual(
      (await daemon.status()).timers.map(({ name, when }) => `${name}: ${when}`),
      ['Clock: every 500 ms'],
    )
  })

  test('the quotes of docs/processes.md are asked for by the handler', async (t) => {
    const page = 'docs/processes.md'
    const files = { 'quotes.ts': blockWith(page, 'class Quotes'), 'prices.ts': blockWith(page, 'class Prices') }
    const daemon = await DaemonProcess.start(t, config(page, '"prices"'), { files })
    const client = await Client.open(await daemon.address('prices'))

    client.write('tea\r\ncoal\r\n')

    assert.equal(await client.until('unknown\r\n'), '3\r\nunknown\r\n')
    assert.equal(await daemon.stop(), 0)
  })

  test('the order of docs/tasks.md is taken, and its receipt reaches the customer', async (t) => {
    const page = 'docs/tasks.md'
    const screen = `import { WebSocketHandler } from 'polyport'
      export default class Screen extends WebSocketHandler { onOpen(connection) { connection.bind('ann') } onMessage() {} }`
    const whole = config(page, '"orders"')
    const ports = [...whole.ports, { name: 'screen', protocol: 'websocket', port: 0, handler: './screen.mjs' }]
    const files = { 'orders.ts': blockWith(page, 'class SendReceipt'), 'screen.mjs': screen }
    const daemon = await DaemonProcess.start(t, { ...whole, ports }, { files })
    const [orders, screens] = [await daemon.address('orders'), await daemon.address('screen')]
    const ann = await WebClient.open(t, `ws://${screens.host}:${screens.port}/`)

    const taken = await (await fetch(`http://${orders.host}:${orders.port}/`)).text()

    assert.match(taken, /^Order taken, receipt \d+$/)
    assert.equal(await ann.next(), '1 items for ann')
    assert.match(await daemon.line(/Sending a receipt/), /"task":"SendReceipt","customer":"ann","attempt":1/)
  })

  test('the listeners of docs/events.md welcome who signs up, and count', async (t) => {
    const page = 'docs/events.md'
    const daemon = await DaemonProcess.start(t, config(page, '"SignedUp"'), { files: { 'signup.ts': blockWith(page, 'class SignedUp') } })
    const client = await Client.open(await daemon.address('signup'))

    client.write('ann\r\n')

    await client.until('Welcome, ann')
    client.socket.destroy()
    while ((await daemon.status()).tasks?.classes.find(({ name }) => name === 'Count')?.done !== 1) await sleep(20)
    assert.deepEqual((await daemon.status()).tables, [{ name: 'stats', rows: 1, size: 10 }])
  })

  test('the hooks of docs/lifecycle.md', async (t) => {
    const page = 'docs/lifecycle.md'
    const files = { 'lifecycle.ts': blockWith(page, 'onWorkerError'), 'motd.ts': MOTD }
    const daemon = await DaemonProcess.start(t, { ports: [LINE], ...(JSON.parse(blockWith(page, '"lifecycle"')) as object) }, { files })
    await daemon.line(/"worker":0.*Ready for work/)

    process.kill((await daemon.status()).workers[0]?.pid ?? 0, 'SIGKILL')

    assert.match(await daemon.line(/Somebody should look at this/), /"signal":"SIGKILL"/)
  })

  test('the message of the day of docs/handlers.md reaches the other workers', async (t) => {
    const daemon = await DaemonProcess.start(t, { workers: 2, dispatch: 'round-robin', ports: [LINE] }, { files: { 'motd.ts': MOTD } })
    const where = await daemon.address('line')
    const first = await Client.open(where)
    await first.until('Welcome\r\n')
    first.write('Closed today\r\n')

    // The second connection is the other worker's.
    let text = ''
    while (text !== 'Closed today\r\n') {
      const next = await Client.open(where)
      text = await next.until('\r\n')
      next.socket.destroy()
    }
    first.socket.destroy()
  })
})
