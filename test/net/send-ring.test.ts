import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { streamHandleOf } from '../../src/net/node-internals.ts'
import { SendRing } from '../../src/net/send-ring.ts'
import { ringsOf } from './rings.ts'

/** Why there is no ring on this machine: an older Node or kernel, or a container that forbids it. */
const missing = ((): string | false => {
  try {
    new SendRing()
    return false
  } catch (error) {
    return (error as Error).message
  }
})()

interface Pair {
  readonly fd: number
  readonly client: net.Socket
  /** What the client has received. */
  received: Buffer
  /** How often, and with what, the ring has been cut short. */
  readonly cuts: { bytes: Uint8Array; numTaken: number }[]
  onCutShort(bytes: Uint8Array, numTaken: number): void
}

async function pairs(t: TestContext, count: number): Promise<Pair[]> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as net.AddressInfo
  const all: Pair[] = []
  for (let i = 0; i < count; i++) {
    const client = net.connect(port, '127.0.0.1')
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    socket.on('error', () => {})
    t.after(() => {
      client.destroy()
      socket.destroy()
    })
    const cuts: Pair['cuts'] = []
    const pair: Pair = {
      fd: streamHandleOf(socket)?.fd ?? -1,
      client,
      received: Buffer.alloc(0),
      cuts,
      onCutShort: (bytes, numTaken) => void cuts.push({ bytes, numTaken }),
    }
    client.on('data', (chunk: Buffer) => {
      pair.received = Buffer.concat([pair.received, chunk])
      client.emit('more')
    })
    all.push(pair)
  }
  return all
}

/** A ring of which the kernel takes nothing. */
function failingRing(): SendRing {
  const before = ringsOf()
  const ring = new SendRing()
  const [descriptor] = ringsOf().filter((fd) => !before.includes(fd))
  assert.ok(descriptor !== undefined)
  closeSync(descriptor)
  return ring
}

async function has(pair: Pair, length: number): Promise<Buffer> {
  while (pair.received.length < length) await once(pair.client, 'more')
  return pair.received
}

test('send ring: one publication and words for each alone, to more sockets than it has entries', { skip: missing }, async (t) => {
  const ring = new SendRing()
  const members = await pairs(t, 300)
  const publication = Buffer.from('to all of you\n')
  for (let round = 0; round < 3; round++) {
    for (const member of members) assert.ok(ring.add(member, member.fd, publication))
    ring.submit()
    for (const [i, member] of members.entries()) assert.ok(ring.add(member, member.fd, Buffer.from(`to ${String(i).padStart(4)}\n`)))
    ring.submit()
  }

  for (const [i, member] of members.entries()) {
    const expected = `to all of you\nto ${String(i).padStart(4)}\n`.repeat(3)
    assert.equal((await has(member, expected.length)).toString(), expected)
    assert.deepEqual(member.cuts, [])
  }
  assert.equal(ring.isBroken, false)
})

test('send ring: more bytes than its memory leave in several calls, and what is longer than it is refused', { skip: missing }, async (t) => {
  const ring = new SendRing()
  const members = await pairs(t, 20)
  const chunks = members.map((_, i) => Buffer.alloc(30_000, i + 1))
  for (const [i, member] of members.entries()) assert.ok(ring.add(member, member.fd, chunks[i] ?? assert.fail()))
  ring.submit()

  for (const [i, member] of members.entries()) assert.ok((await has(member, 30_000)).equals(chunks[i] ?? assert.fail()))
  const [first] = members
  assert.equal(ring.add(first ?? assert.fail(), first?.fd ?? 0, Buffer.alloc(1024 * 1024)), false)
})

test('send ring: who does not read is told what the kernel has taken, who has gone that nothing was, and nobody else notices', { skip: missing }, async (t) => {
  const ring = new SendRing()
  const three = await pairs(t, 3)
  const [slow, gone, healthy] = three
  assert.ok(slow && gone && healthy)
  slow.client.pause()
  gone.client.resetAndDestroy()
  await once(gone.client, 'close')
  const bytes = Buffer.alloc(20_000, 'x')
  const added = new Map<Pair, number>()
  // The first to who has gone may still find the way.
  while (slow.cuts.length === 0 || gone.cuts.length === 0) {
    for (const member of three) {
      if (member.cuts.length > 0) continue
      assert.ok(ring.add(member, member.fd, bytes))
      added.set(member, (added.get(member) ?? 0) + bytes.length)
    }
    ring.submit()
    await has(healthy, added.get(healthy) ?? 0)
  }

  assert.equal(healthy.cuts.length, 0)
  assert.deepEqual(gone.cuts, [{ bytes, numTaken: 0 }])
  const { numTaken } = slow.cuts[0] ?? assert.fail()
  const taken = (added.get(slow) ?? 0) - bytes.length + numTaken
  slow.client.resume()
  assert.equal((await has(slow, taken)).length, taken)
  assert.ok(numTaken < bytes.length)
  t.diagnostic(`who did not read was given ${taken} bytes`)
  assert.equal(ring.isBroken, false)
})

test('send ring: nobody is cut short while being added, and all are told when the kernel takes no more of it', { skip: missing }, async (t) => {
  const ring = failingRing()
  const [member] = await pairs(t, 1)
  assert.ok(member)
  const bytes = Buffer.from('lost?')
  let added = -1
  const told: number[] = []
  // More than it has entries.
  for (let i = 0; i < 300; i++) {
    added = i
    const sender = { onCutShort: (_: Uint8Array, numTaken: number) => void told.push(i, numTaken, added) }
    if (!ring.add(sender, member.fd, bytes)) break
  }
  ring.submit()

  assert.ok(ring.isBroken)
  assert.equal(added, 256)
  assert.deepEqual(told, Array.from({ length: 256 }, (_, i) => [i, 0, 256]).flat())
})

test('send ring: takes nothing more when the kernel takes no more of it, to make room in its memory, either', { skip: missing }, async (t) => {
  const ring = failingRing()
  const [member] = await pairs(t, 1)
  assert.ok(member)
  const chunks = Array.from({ length: 9 }, (_, i) => Buffer.alloc(30_000, i))
  const added = chunks.map((bytes) => ring.add(member, member.fd, bytes))

  assert.deepEqual(added, [...new Array<boolean>(8).fill(true), false])
  assert.ok(ring.isBroken)
  assert.equal(member.cuts.length, 8)
})
