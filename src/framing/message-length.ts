import { types } from '../node-util.ts'
import { valueText } from '../value-text.ts'

/**
 * The bytes of a message that is to be sent.
 * @throws TypeError for what is neither text nor bytes. JavaScript lets it through, and with a wrong length what is left in memory would be sent.
 */
export function messageLength(message: string | Uint8Array): number {
  if (typeof message === 'string') return Buffer.byteLength(message)
  checkMessage(message)
  return message.byteLength
}

/** @throws TypeError for what is neither text nor bytes */
export function checkMessage(message: string | Uint8Array): void {
  if (typeof message === 'string' || message instanceof Uint8Array || types.isUint8Array(message)) return
  throw new TypeError(`Cannot send ${valueText(message)}, expected text, or bytes as a Buffer or Uint8Array; objects by JSON.stringify()`)
}
