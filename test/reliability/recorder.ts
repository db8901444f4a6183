import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DaemonProcess } from '../daemon-process.ts'
import { eventually } from './process-figures.ts'

// What a handler does when told so, the same for TCP and WebSocket, and a note of every callback.
const BODY = `
  opened(connection) {
    note('open', connection.fd)
    connection.send(String(connection.fd))
    const { failIn, openMs } = this.options
    if (failIn === 'open') throw new Error('on purpose, in open')
    if (failIn === 'open later') return sleep(20).then(() => { throw new Error('on purpose, later in open') })
    if (openMs !== undefined) return sleep(openMs)
  }
  received(connection, text) {
    const [word, argument] = text.split(' ')
    if (word === 'close') return connection.close()
    if (word === 'last') return connection.close('the last word')
    if (word === 'destroy') return connection.destroy()
    if (word === 'throw') throw new Error('on purpose')
    if (word === 'reject') return Promise.reject(new Error('on purpose'))
    if (word === 'pause') { connection.pause(); setTimeout(() => { connection.send('resumed'); connection.resume() }, Number(argument)); return }
    if (word === 'fill') {
      const bytes = Buffer.alloc(64 * 1024, 'x')
      let accepted = 0
      for (let i = 0; i < Number(argument) * 16; i++) if (connection.send(bytes)) accepted++
      note('filled', connection.fd, accepted, connection.isOpen)
      return
    }
    if (word === 'hold') return (async () => { while (!existsSync(new URL('./' + argument, import.meta.url))) await sleep(20); connection.send(text) })()
    if (word === 'wait') return sleep(Number(argument)).then(() => { note('waited', connection.fd); connection.send(text) })
    if (word === 'order') return sleep(Math.random() * 3).then(() => { connection.send(text) })
    connection.send(text)
  }
  onDrain(connection) { note('drain', connection.fd) }
  onClose(connection, reason) {
    const isSent = connection.send('too late')
    const { failIn, closeMs } = this.options
    if (closeMs !== undefined) return sleep(closeMs).then(() => note('close', connection.fd, reason, isSent))
    note('close', connection.fd, reason, isSent)
    if (failIn === 'close') throw new Error('on purpose, in close')
  }
  onStop() { note('stop', this.port.name) }
`
const HEAD = `
import { appendFileSync, existsSync } from 'node:fs'
const note = (...words) => appendFileSync(new URL('./events.log', import.meta.url), words.join(' ') + '\\n')
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
`
export const RECORDER_FILES: Record<string, string> = {
  'tcp.js': `import { TcpHandler } from 'polyport'\n${HEAD}
export default class Recorder extends TcpHandler {
  onConnect(connection) { return this.opened(connection) }
  onReceive(connection, message) { return this.received(connection, message.toString()) }
${BODY}}`,
  'ws.js': `import { WebSocketHandler } from 'polyport'\n${HEAD}
export default class Recorder extends WebSocketHandler {
  onOpen(connection) { return this.opened(connection) }
  onMessage(connection, message) { return this.received(connection, message.toString()) }
${BODY}}`,
}

/** Every callback so far, each as a line of words. */
export function events(daemon: DaemonProcess): string[] {
  try {
    return readFileSync(join(daemon.dir, 'events.log'), 'utf8').trim().split('\n')
  } catch {
    return []
  }
}

/** The event of a connection, once it is there. */
export async function event(daemon: DaemonProcess, name: string, fd: number): Promise<string[]> {
  const find = (): string | undefined => events(daemon).find((line) => line.startsWith(`${name} ${fd} `) || line === `${name} ${fd}`)
  await eventually(`${name} of ${fd}`, () => find() !== undefined)
  return (find() ?? '').split(' ').slice(2)
}

/** Fails unless each connection that was opened was closed exactly once. */
export function unbalanced(lines: readonly string[]): string[] {
  const count = (line: string): number => lines.filter((other) => other === line || other.startsWith(`${line} `)).length
  const fds = new Set(lines.filter((line) => /^(open|close) /.test(line)).map((line) => line.split(' ')[1]))
  return [...fds].filter((fd) => count(`open ${fd}`) !== 1 || count(`close ${fd}`) !== 1).map((fd) => `${fd}: ${count(`close ${fd}`)} closes`)
}
