import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { run } from './run-cli.ts'

type Answer = (packet: Buffer, reply: (data: string | Buffer) => void) => void

async function serve(t: TestContext, answer: Answer, host = '127.0.0.1'): Promise<string> {
  const socket = dgram.createSocket(host === '::1' ? 'udp6' : 'udp4')
  socket.on('message', (packet, { address, port }) => answer(packet, (data) => socket.send(data, port, address)))
  socket.bind(0, host)
  await once(socket, 'listening')
  t.after(() => socket.close())
  return `udp://${host === '::1' ? '[::1]' : host}:${socket.address().port}`
}

// Longer than this process, which answers, has no turn on a busy machine.
const QUICK = ['--wait', '1.5']

describe('polyport connect udp:', { concurrency: 4 }, () => {
  test('each line is a datagram, each answer a line', async (t) => {
    const packets: string[] = []
    const url = await serve(t, (packet, reply) => {
      packets.push(String(packet))
      reply(`got ${packet}`)
    })

    const { code, stdout, stderr } = await run(t, ['connect', url, ...QUICK], { input: 'hi\nthere\r\nlast' })

    assert.deepEqual(packets, ['hi', 'there', 'last'])
    assert.equal(stdout, 'got hi\ngot there\ngot last\n')
    assert.equal(stderr, '')
    assert.equal(code, 0)
  })

  test('an answer that ends its line gets no second end', async (t) => {
    const url = await serve(t, (_, reply) => reply('pong\n'))

    assert.equal((await run(t, ['connect', url, ...QUICK], { input: 'ping\n' })).stdout, 'pong\n')
  })

  test('twenty lines at once are all sent before the end', async (t) => {
    const packets: string[] = []
    const url = await serve(t, (packet) => packets.push(String(packet)))
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`)

    await run(t, ['connect', url, ...QUICK], { input: lines.join('\n') })

    assert.deepEqual(packets, lines)
  })

  test('reads answers while it sends: more of them come than a socket holds', async (t) => {
    let numEchoed = 0
    const url = await serve(t, (packet, reply) => {
      numEchoed++
      reply(packet)
    })
    const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}`)
    let numAnswers = 0

    // This is UDP: where the machine is busy, most may not even get there, and the answers fit into a socket.
    for (let tries = 0; numEchoed < 1000 && tries < 20; tries++) {
      numEchoed = 0
      const { stdout } = await run(t, ['connect', url, ...QUICK], { input: lines.join('\n') })
      numAnswers = stdout.split('\n').length - 1
    }

    assert.ok(numEchoed >= 1000, `${numEchoed} have got there`)
    // Without reading meanwhile 256 came.
    assert.ok(numAnswers > numEchoed / 2, `${numAnswers} answers to ${numEchoed}`)
  })

  test('an empty line is an empty datagram', async (t) => {
    const sizes: number[] = []
    const url = await serve(t, (packet) => sizes.push(packet.length))

    await run(t, ['connect', url, ...QUICK], { input: '\nx\n' })

    assert.deepEqual(sizes, [0, 1])
  })

  test('--eof is a part of the datagram', async (t) => {
    const packets: string[] = []
    const url = await serve(t, (packet) => packets.push(String(packet)))

    await run(t, ['connect', url, '--eof', '\\n', ...QUICK], { input: 'hi\n' })

    assert.deepEqual(packets, ['hi\n'])
  })

  test('IPv6', async (t) => {
    const url = await serve(t, (packet, reply) => reply(packet), '::1')

    assert.equal((await run(t, ['connect', url, ...QUICK], { input: 'hi\n' })).stdout, 'hi\n')
  })

  test('a line that no datagram holds is a sentence and exit code 1, and the process ends', async (t) => {
    const url = await serve(t, () => assert.fail('nothing was to arrive'))

    const { code, stderr } = await run(t, ['connect', url], { input: `${'x'.repeat(65_508)}\n` })

    assert.equal(code, 1)
    assert.equal(stderr, `The talk with ${url} has broken off: a datagram holds at most 65507 bytes, this line has 65508\n`)
  })

  test('a datagram that the system refuses is a sentence and exit code 1, and the process ends', async (t) => {
    // Broadcast needs a socket option that is not set.
    const { code, stderr } = await run(t, ['connect', 'udp://255.255.255.255:9', '--wait', '60'], { input: 'hi\n' })

    assert.equal(code, 1)
    assert.match(stderr, /^The talk with udp:\/\/255\.255\.255\.255:9 has broken off: permission denied \(EACCES\)\n$/)
  })

  test('a host that does not exist is a sentence and exit code 1', async (t) => {
    const { code, stderr } = await run(t, ['connect', 'udp://no-such-host.invalid:9'])

    assert.equal(code, 1)
    assert.match(stderr, /^Cannot connect to udp:\/\/no-such-host\.invalid:9: .*\n$/)
  })
})
