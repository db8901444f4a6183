import type http from 'node:http'
import type { ServerResponse } from 'node:http'
import type net from 'node:net'

/** What Node does not document of HTTP servers and responses. Only this file touches it; `test/net/node-internals.test.ts` says which names it relies on. */

interface HttpParser {
  readonly socket: net.Socket | null
}

/** What Node knows of the connections of an HTTP server: all that are between two requests, and those that take too long, each once. */
interface ConnectionsList {
  idle(): HttpParser[]
  expired(headerMs: number, requestMs: number): HttpParser[]
}

function connectionsOf(server: http.Server): ConnectionsList | undefined {
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connections')
  if (symbol === undefined) throw new Error('Cannot reach the connections of an HTTP server in this version of Node')
  return (server as unknown as Record<symbol, ConnectionsList | undefined>)[symbol]
}

/** The connections of an HTTP server that are between two requests, or before their first byte: nothing of a request has been read. */
export function idleSockets<S extends net.Socket>(server: http.Server, sockets: Iterable<S>): S[] {
  const idle = new Set<net.Socket | null>(
    connectionsOf(server)
      ?.idle()
      .map(({ socket }) => socket),
  )
  const found: S[] = []
  for (const socket of sockets) {
    const { _httpMessage: response } = socket as { _httpMessage?: unknown }
    if ((idle.has(socket) || socket.bytesRead === 0) && (response === null || response === undefined)) found.push(socket)
  }
  return found
}

/** The connections of an HTTP server of which a head, or a whole request, or the first byte takes longer than it may. Each once. */
export function lateSockets(server: http.Server, headerMs: number, requestMs: number): net.Socket[] {
  const late = connectionsOf(server)?.expired(headerMs, requestMs) ?? []
  return late.flatMap(({ socket }) => socket ?? [])
}

/** `Keep-Alive: timeout=`, which Node only sends where it watches over that time itself. */
export function announceKeepAlive(response: ServerResponse, ms: number): void {
  ;(response as unknown as { _keepAliveTimeout: number })._keepAliveTimeout = ms
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
