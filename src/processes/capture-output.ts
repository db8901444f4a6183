import type { Logger } from '../contracts/logger.ts'
import { LineSplitter } from './line-splitter.ts'

/** From now on, what this process writes to stdout and stderr, the console included, goes to the log line by line: the log itself writes past these streams. */
export function captureOutput(log: Logger): void {
  capture(process.stdout, (line) => log.info({ stream: 'stdout' }, line))
  capture(process.stderr, (line) => log.warn({ stream: 'stderr' }, line))
}

function capture(stream: NodeJS.WriteStream, onLine: (line: string) => void): void {
  const splitter = new LineSplitter(onLine)
  process.once('exit', () => splitter.flush())
  stream.write = (chunk: string | Uint8Array, encoding?: BufferEncoding | Done, done?: Done): boolean => {
    splitter.push(typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : chunk)
    const callback = typeof encoding === 'function' ? encoding : done
    if (callback !== undefined) process.nextTick(callback)
    return true
  }
}

type Done = (error?: Error | null) => void
