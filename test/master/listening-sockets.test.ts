import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import { BindError } from '../../src/errors.ts'
import { ListeningSockets } from '../../src/master/listening-sockets.ts'

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
