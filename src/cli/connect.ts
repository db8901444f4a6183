import { setTimeout as sleep } from 'node:timers/promises'
import { parseEof } from '../config/parse-eof.ts'
import { messagesOf } from './connect-input.ts'
import type { Link } from './connect-link.ts'
import { Output } from './connect-output.ts'
import { parseTarget, type Target, whyNoTarget } from './connect-target.ts'
import { EXIT, say } from './exit-code.ts'
import { explain } from './network-error.ts'

// What a timer of Node can wait; more would fire at once.
const MAX_SLEEP_MS = 2 ** 31 - 1

export interface ConnectOptions {
  readonly url: string
  readonly eof: string | undefined
  readonly wait: number
}

/** `polyport connect`: a small client on stdin and stdout. */
export async function connect(options: ConnectOptions): Promise<number> {
  const target = parseTarget(options.url)
  if (target === undefined) return say(`Cannot connect to "${options.url}": ${whyNoTarget(options.url)}`, EXIT.usage)
  if (!(options.wait >= 0)) return say('--wait must be a number of seconds', EXIT.usage)
  let eof: Buffer | undefined
  try {
    eof = endMark(target, options.eof)
  } catch (error) {
    return say(`--eof: ${(error as Error).message}`, EXIT.usage)
  }
  const output = new Output()
  try {
    return await converse(target, options, output, messagesOf(process.stdin, eof))
  } finally {
    // An input that never ends would keep the process.
    process.stdin.destroy()
  }
}

async function converse(target: Target, { url, wait }: ConnectOptions, output: Output, messages: AsyncIterable<Buffer>): Promise<number> {
  let link: Link
  try {
    link = await open(target, output)
  } catch (error) {
    return say(`Cannot connect to ${url}: ${explain(error)}`, EXIT.failed)
  }
  hint(url)
  try {
    await talk(link, output, messages, wait * 1000)
    return EXIT.done
  } catch (error) {
    return say(`The talk with ${url} has broken off: ${explain(error)}`, EXIT.failed)
  }
}

async function open(target: Target, output: Output): Promise<Link> {
  if (target.kind === 'udp') return (await import('./connect-udp.ts')).openUdp(target, output)
  if (target.kind === 'websocket') return (await import('./connect-websocket.ts')).openWebSocket(target.url, output)
  if (target.kind === 'tls') return (await import('./connect-stream.ts')).openTls(target, output)
  return (await import('./connect-stream.ts')).openStream(target.kind === 'unix' ? { path: target.path } : target, output)
}

/** Sends all of the input, then waits for answers until the peer ends the talk or is silent. */
async function talk(link: Link, output: Output, messages: AsyncIterable<Buffer>, waitMs: number): Promise<void> {
  const ours = (async () => {
    for await (const message of messages) await link.send(message)
    await link.finish()
    await silence(output, waitMs)
  })()
  try {
    await Promise.race([ours, link.closed])
  } finally {
    // Whichever was first, the other may still fail: nobody asks any more.
    ours.catch(() => {})
    link.closed.catch(() => {})
    await link.close()
  }
}

async function silence(output: Output, waitMs: number): Promise<void> {
  let last = performance.now()
  output.onArrival = () => (last = performance.now())
  // The open socket keeps the process; when the peer ends the talk meanwhile, nothing waits for this.
  for (let left = waitMs; left > 0; left = last + waitMs - performance.now()) await sleep(Math.min(left, MAX_SLEEP_MS), undefined, { ref: false })
}

/** What ends a line that is sent; undefined for an input that is sent as it is. */
function endMark(target: Target, eof: string | undefined): Buffer | undefined {
  const isStream = target.kind === 'tcp' || target.kind === 'tls' || target.kind === 'unix'
  if (eof === '' && isStream) return undefined
  return parseEof(eof ?? (isStream ? '\\r\\n' : ''))
}

function hint(url: string): void {
  if (process.stdin.isTTY && process.stderr.isTTY) process.stderr.write(`Connected to ${url}: each line is sent. Ctrl-D ends, Ctrl-C breaks off\n`)
}
