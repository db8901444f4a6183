import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEof } from '../config/parse-eof.ts'
import type { FramingConfig, PortConfig } from '../config/schema.ts'
import { messageText } from './try-message.ts'
import { needsHeader, tryAsProxy } from './try-proxy.ts'

// From src/master as well as from dist/master.
const BIN = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))

/** A line for a terminal that talks to a port. @param address where it listens; a path for a unix socket */
export function tryLine(port: PortConfig, address: string): string {
  return port.path === undefined ? tryAddress(port, reachable(address)) : tryPath(port, port.path)
}

/** The same for the WebSocket path of an http port. */
export function tryWebSocket(port: PortConfig, address: string, path: string): string {
  const target = reachable(address)
  if (needsHeader(port, hostOf(target))) return `curl -i ${port.tls === undefined ? 'http' : '-k https'}://${target}${path} --haproxy-protocol`
  // As curl with -k: who tries a port knows whose it is, and its certificate may be one of its own.
  return `${port.tls === undefined ? '' : 'NODE_TLS_REJECT_UNAUTHORIZED=0 '}${command()} connect ${port.tls === undefined ? 'ws' : 'wss'}://${target}${path}`
}

/** The same for the admin port. The token is in no output: a variable of the shell stands for it. */
export function tryAdmin(address: string, hasToken: boolean): string {
  const token = hasToken ? '-H "Authorization: Bearer $TOKEN" ' : ''
  return address.startsWith('/') ? `curl ${token}--unix-socket ${address} http://localhost/metrics` : `curl ${token}http://${reachable(address)}/metrics`
}

function tryAddress(port: PortConfig, target: string): string {
  const host = hostOf(target)
  const place = `${host} ${target.slice(target.lastIndexOf(':') + 1)}`
  if (port.protocol === 'udp') return `echo hi | nc -u -w1 ${place}`
  const isProxy = needsHeader(port, host)
  if (port.protocol === 'http') return `curl ${port.tls === undefined ? 'http' : '-k https'}://${target}/${isProxy ? ' --haproxy-protocol' : ''}`
  if (port.protocol === 'websocket') return tryWebSocket(port, target, '/')
  if (isProxy) return tryAsProxy(port, place)
  if (port.tls !== undefined) return tryTls(port.framing, `-connect ${target}`)
  if (port.protocol === 'stream' || port.framing === undefined) return `nc ${place}`
  // telnet ends each line with \r\n, so the mark \n is found, too.
  if (isLine(port.framing)) return `telnet ${place}`
  return tryFramed(port.framing, `tcp://${target}`, `nc -w1 ${place}`) ?? `nc ${place}`
}

function tryPath(port: PortConfig, path: string): string {
  if (port.protocol === 'udp') return `echo hi | socat - UNIX-SENDTO:${path}`
  const isProxy = needsHeader(port, '')
  const url = `${port.tls === undefined ? 'http' : '-k https'}://localhost/${isProxy ? ' --haproxy-protocol' : ''}`
  if (port.protocol === 'http') return `curl --unix-socket ${path} ${url}`
  if (port.protocol === 'websocket') return `curl -i --unix-socket ${path} ${url}`
  if (isProxy) return tryAsProxy(port, `-U ${path}`)
  if (port.tls !== undefined) return tryTls(port.framing, `-unix ${path}`)
  const framing = port.protocol === 'tcp' ? port.framing : undefined
  return (framing && tryFramed(framing, `unix:${path}`, `nc -w1 -U ${path}`)) ?? `nc -U ${path}`
}

/** @param place where, in the words of openssl */
function tryTls(framing: FramingConfig | undefined, place: string): string {
  const client = `openssl s_client -quiet ${place}`
  if (framing === undefined) return client
  if (isLine(framing)) return framing.type === 'eof' && parseEof(framing.eof).length === 2 ? `openssl s_client -quiet -crlf ${place}` : client
  const message = messageText(framing)
  return message === undefined ? client : `printf '${message}' | ${client}`
}

/** Undefined where no simple client makes a message of what is typed. @param pipe what sends its standard input to the port */
function tryFramed(framing: FramingConfig, url: string, pipe: string): string | undefined {
  if (framing.type === 'eof') {
    const mark = parseEof(framing.eof).toString('latin1')
    return `${command()} connect ${url}${mark === '\r\n' ? '' : ` --eof='${shown(mark)}'`}`
  }
  const message = messageText(framing)
  return message && `printf '${message}' | ${pipe}`
}

function isLine(framing: FramingConfig): boolean {
  return framing.type === 'eof' && ['\r\n', '\n'].includes(parseEof(framing.eof).toString('latin1'))
}

/** As `--eof` takes it, between a shell's quotes. */
function shown(mark: string): string {
  return mark.replaceAll(/[^\x21-\x7e]|['\\]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** The address of `[::1]:5291` without its port and brackets. */
function hostOf(target: string): string {
  return target.slice(0, target.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

/** An address that listens everywhere is reached here by loopback. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}

/** In a project of its own npx finds the program; in this repository it has to be named. */
function command(): string {
  return BIN.includes('/node_modules/') ? 'npx polyport' : `node ${relative(process.cwd(), BIN)}`
}
