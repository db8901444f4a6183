import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import type { Server } from './server.ts'

const NUM_RELOADS = 3

/** Milliseconds that a reload takes with so many idle connections: the median of three. @throws Error when a connection is closed */
export async function reloadTime(server: Server, count: number): Promise<number> {
  const sockets: net.Socket[] = []
  for (let left = count; left > 0; left -= 100) sockets.push(...(await Promise.all(Array.from({ length: Math.min(100, left) }, () => open(server.port)))))
  const times: number[] = []
  for (let i = 0; i < NUM_RELOADS; i++) {
    const start = performance.now()
    await server.reload()
    times.push(performance.now() - start)
  }
  const closed = sockets.filter((socket) => socket.destroyed || socket.readableEnded).length
  for (const socket of sockets) socket.destroy()
  if (closed > 0) throw new Error(`${closed} of ${count} connections were closed`)
  return times.toSorted((a, b) => a - b)[1] ?? 0
}

/** Echoes a second of 50 connections: for some seconds undisturbed, and for as long with one reload after the other. */
export async function echoesDuringReloads(server: Server, seconds: number): Promise<{ before: number; during: number }> {
  const sockets = await Promise.all(Array.from({ length: 50 }, () => open(server.port)))
  let count = 0
  for (const socket of sockets) {
    socket.on('data', () => {
      count++
      socket.write('x'.repeat(62).concat('\r\n'))
    })
    socket.write('x'.repeat(62).concat('\r\n'))
  }
  const measure = async (work: () => Promise<unknown>): Promise<number> => {
    const first = count
    const start = performance.now()
    while (performance.now() - start < seconds * 1000) await work()
    return ((count - first) / (performance.now() - start)) * 1000
  }
  await measure(() => new Promise((resolve) => setTimeout(resolve, 50)))
  const before = await measure(() => new Promise((resolve) => setTimeout(resolve, 50)))
  const during = await measure(() => server.reload())
  for (const socket of sockets) socket.destroy()
  return { before, during }
}

/** Asks the control socket. */
export function postReload(socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method: 'POST', path: '/api/reload' }, (response) => {
      response.resume()
      response.on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`The reload was answered with ${response.statusCode}`))))
    })
    request.on('error', reject)
    request.end()
  })
}

async function open(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').setNoDelay(true)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}
