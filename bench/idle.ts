import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'

/** A process's memory in KiB: all of it, and what is not shared with others. */
export interface Memory {
  readonly rss: number
  readonly anon: number
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0)
  return { rss: field('VmRSS'), anon: field('RssAnon') }
}

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

async function open(port: number, isWebSocket: boolean): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  if (isWebSocket) {
    socket.write(UPGRADE)
    await once(socket, 'data')
  }
  return socket
}

/** What an idle connection costs the worker, in KiB. */
export async function idleCost(server: { port: number; workerPid: number }, count: number, isWebSocket: boolean): Promise<{ rss: number; anon: number }> {
  const sockets: net.Socket[] = []
  const some = async (n: number): Promise<void> => {
    for (let left = n; left > 0; left -= 100) {
      sockets.push(...(await Promise.all(Array.from({ length: Math.min(100, left) }, () => open(server.port, isWebSocket)))))
    }
  }
  // What is allocated once for any number of connections is not theirs.
  await some(300)
  for (const socket of sockets.splice(0)) socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const before = memoryOf(server.workerPid)
  await some(count)
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const after = memoryOf(server.workerPid)
  for (const socket of sockets) socket.destroy()
  return { rss: (after.rss - before.rss) / count, anon: (after.anon - before.anon) / count }
}
