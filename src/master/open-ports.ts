import { takeUnixPath } from '../net/unix-path.ts'
import type { ListeningSocket } from './listening-sockets.ts'
import type { WorkerChild } from './worker-child.ts'

/** Gives a worker whose handlers are loaded its ports. @param isDealt the master accepts, and deals */
export async function openPorts(child: WorkerChild, sockets: readonly ListeningSocket[], isDealt: boolean): Promise<void> {
  for (const socket of sockets) {
    if (socket.stream === undefined && socket.datagrams === undefined) {
      // A unix datagram socket cannot be handed over by its package: one worker binds it, anew after a crash or in a reload.
      if (child.slot !== 0) continue
      await takeUnixPath(socket.address)
    }
    giveSocket(child, socket, isDealt)
  }
  child.send({ type: 'opened', ports: [] })
}

/** Has a worker open one port. */
export function giveSocket(child: WorkerChild, { config, address, stream, datagrams }: ListeningSocket, isDealt: boolean): void {
  const handle = stream === undefined ? datagrams?.[child.slot]?.handle : isDealt ? undefined : stream
  child.send({ type: 'listen', port: config.name, address }, handle)
}
