import type http from 'node:http'
import type { ServerResponse } from 'node:http'
import type net from 'node:net'

/** What Node does not document of HTTP servers and responses. Only this file touches it; `test/net/node-internals.test.ts` says which names it relies on. */

interface HttpParser {
  readonly socket: net.Socket | null
}

/** The connections of an HTTP server that are between two requests, or before their first byte: nothing of a request has been read. */
export function idleSockets(server: http.Server, sockets: Iterable<net.Socket>): net.Socket[] {
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connections')
  if (symbol === undefined) throw new Error('Cannot reach the connections of an HTTP server in this version of Node')
  const { [symbol]: list } = server as unknown as Record<symbol, { idle(): HttpParser[] }>
  const idle = new Set<net.Socket | null>(list?.idle().map(({ socket }) => socket))
  const found: net.Socket[] = []
  for (const socket of sockets) {
    const { _httpMessage: response } = socket as { _httpMessage?: unknown }
    if ((idle.has(socket) || socket.bytesRead === 0) && (response === null || response === undefined)) found.push(socket)
  }
  return found
}

/** Who is told that a response has left. */
export interface ResponseObserver {
  responded(response: MeasuredResponse): void
}

/** A response whose way is followed. */
export type MeasuredResponse = ServerResponse & { observer?: ResponseObserver | undefined; startedAt?: number }

/**
 * Tells an observer, once, when a response has left. Node calls `detachSocket` then: a 'close' listener would cost each request twice as much. It is put
 * on the response itself, as Express gives responses another prototype.
 */
export function tellWhenLeft(response: MeasuredResponse, observer: ResponseObserver): void {
  response.observer = observer
  response.detachSocket = detachAndTell
}

function detachAndTell(this: MeasuredResponse, socket: net.Socket): void {
  ;(Object.getPrototypeOf(this) as ServerResponse).detachSocket.call(this, socket)
  this.observer?.responded(this)
}

/** A request that is followed by FIN has its answer, also one that takes a while. Without this Node ends the connection at once. */
export function answerHalfClosed(server: http.Server): void {
  ;(server as unknown as { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true
}

/** Whether anything of a response has left: then no other answer can be given. */
export function hasSentHead(response: ServerResponse): boolean {
  return (response as unknown as { _headerSent: boolean })._headerSent
}

/** Takes a response off its connection: whoever still writes it sees that the client has gone, and another answer can be given. */
export function abandonResponse(response: ServerResponse, socket: net.Socket): void {
  response.detachSocket(socket)
  const state = response as unknown as { destroyed: boolean; _closed: boolean }
  state.destroyed = true
  state._closed = true
  process.nextTick(() => response.emit('close'))
}
