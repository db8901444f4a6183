import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { resolveConfig } from '../../src/config/load-config.ts'
import { BindError } from '../../src/errors.ts'
import { ListeningSockets } from '../../src/master/listening-sockets.ts'
import { receiveOn } from '../../src/net/node-internals.ts'

test('ListeningSockets.open() leaves no socket of a udp port open when a further one cannot be bound', async (t) => {
  const { ports } = resolveConfig({ ports: [{ protocol: 'udp', port: 0, handler: './h.ts' }] })
  const { createSocket } = dgram
  const sockets: dgram.Socket[] = []
  t.mock.method(dgram, 'createSocket', (options: dgram.SocketOptions) => {
    const socket = createSocket(options)
    sockets.push(socket)
    // One asks whether the port is free, two are a slot's each, and for this one no descriptor is left.
    if (sockets.length === 4) socket.bind = () => socket.emit('error', Object.assign(new Error('EMFILE'), { errno: -24 })) as never
    return socket
  })

  await assert.rejects(ListeningSockets.open(ports, 3), BindError)

  assert.equal(sockets.length, 4)
  for (const socket of sockets) assert.throws(() => socket.address(), 'it is closed')
})

test('ListeningSockets.close() may come long after a worker in the same process has closed the handle of a udp port', async (t) => {
  const { ports } = resolveConfig({ ports: [{ protocol: 'udp', port: 0, handler: './h.ts' }] })
  const sockets = await ListeningSockets.open(ports, 1)
  t.after(() => sockets.close())
  const handle = sockets.all[0]?.datagrams?.[0]?.handle
  assert.ok(handle !== undefined)

  const socket = await receiveOn(handle, { type: 'udp4' })
  await new Promise<void>((resolve) => socket.close(resolve))
  for (let i = 0; i < 5; i++) await setImmediate()

  // It would not throw: it would end the process.
  sockets.close()
})
