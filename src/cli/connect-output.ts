import { once } from 'node:events'
import type { Sink } from './connect-link.ts'

// What may wait for a slow reader of stdout before datagrams are dropped.
const MAX_WAITING_BYTES = 1024 * 1024
const NEWLINE = 0x0a

/** stdout as the place where answers go. */
export class Output implements Sink {
  readonly isTerminal: boolean = process.stdout.isTTY === true
  /** Called for each arrival. */
  onArrival: (() => void) | undefined

  get isFull(): boolean {
    return process.stdout.writableLength > MAX_WAITING_BYTES
  }

  take(bytes: Uint8Array): boolean {
    this.onArrival?.()
    return process.stdout.write(bytes)
  }

  takeMessage(message: Uint8Array): boolean {
    this.onArrival?.()
    // One write, so that two messages never share a line.
    return process.stdout.write(message.at(-1) === NEWLINE ? message : Buffer.concat([message, Buffer.from('\n')]))
  }

  async drained(): Promise<void> {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
  }
}
