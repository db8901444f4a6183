import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { createDaemon } from 'polyport'
import type { Port } from '../../src/net/port.ts'

// Inside the repository, so that the handler finds the package by its own name.
const FOLDER = join(import.meta.dirname, '..', '.tmp')

test('a kept HTTP connection that a stop ends is counted as shutdown, one that its client ends as client', async (t) => {
  mkdirSync(FOLDER, { recursive: true })
  const dir = mkdtempSync(join(FOLDER, 'http-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'http.js')
  writeFileSync(file, `export default function (request, response) { response.end('hi') }`)
  const daemon = await createDaemon({ log: { level: 'silent' }, runtimeDir: dir, maxWaitSeconds: 5, ports: [{ protocol: 'http', port: 0, handler: file }] })
  t.after(() => daemon.stop())
  const port = daemon.ports[0] as Port
  const ask = async (): Promise<net.Socket> => {
    const socket = net.connect(Number(port.address.split(':').at(-1)), '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n')
    await once(socket, 'data')
    return socket
  }
  const [leaving, staying] = [await ask(), await ask()]
  leaving.end()
  await once(leaving, 'close')

  await Promise.all([daemon.stop(), once(staying, 'close')])

  assert.deepEqual(port.report().closed, { client: 1, shutdown: 1 })
})
