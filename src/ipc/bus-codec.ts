import type { BusMessage, BusOrigin } from './messages.ts'

/**
 * A bus message as bytes: u8 kind, u8 form of the payload, u16 length of the name, u32 number of exceptions, f64 fd, then who sent it: u32
 * owner and f64 sequence; the name, the exceptions (f64 each) and the payload. All little-endian: both ends are on one machine.
 */
const KINDS = [
  'send',
  'close',
  'publish',
  'broadcast',
  'join',
  'leave',
  'bind',
  'unbind',
  'held',
  'state',
  'arrived',
  'refused',
  'post',
  'ask',
  'answer',
  'unanswered',
  'marked',
  'fence',
  'passed',
] as const
const HEAD_BYTES = 28
const NO_PAYLOAD = 0
const TEXT = 1
const BYTES = 2

export function encodeBusMessage(message: BusMessage, origin: BusOrigin): Buffer {
  const { payload } = message
  const nameBytes = Buffer.byteLength(message.name)
  const isText = typeof payload === 'string'
  const payloadBytes = payload === undefined ? 0 : isText ? Buffer.byteLength(payload) : payload.byteLength
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + nameBytes + 8 * message.except.length + payloadBytes)
  bytes[0] = KINDS.indexOf(message.kind)
  bytes[1] = payload === undefined ? NO_PAYLOAD : isText ? TEXT : BYTES
  bytes.writeUInt16LE(nameBytes, 2)
  bytes.writeUInt32LE(message.except.length, 4)
  bytes.writeDoubleLE(message.fd, 8)
  bytes.writeUInt32LE(origin.owner, 16)
  bytes.writeDoubleLE(origin.sequence, 20)
  let at = HEAD_BYTES
  at += bytes.write(message.name, at)
  for (const fd of message.except) at = bytes.writeDoubleLE(fd, at)
  if (isText) bytes.write(payload, at)
  else if (payload !== undefined) bytes.set(payload, at)
  return bytes
}

/** `bytes` may be kept by the message that comes out. */
export function decodeBusMessage(bytes: Buffer): { message: BusMessage; origin: BusOrigin } {
  const nameBytes = bytes.readUInt16LE(2)
  const exceptions = bytes.readUInt32LE(4)
  let at = HEAD_BYTES
  const name = bytes.toString('utf8', at, at + nameBytes)
  at += nameBytes
  const except: number[] = []
  for (let i = 0; i < exceptions; i++, at += 8) except.push(bytes.readDoubleLE(at))
  const form = bytes[1]
  const payload = form === NO_PAYLOAD ? undefined : form === TEXT ? bytes.toString('utf8', at) : bytes.subarray(at)
  return {
    message: { kind: KINDS[bytes[0] as number] as BusMessage['kind'], fd: bytes.readDoubleLE(8), name, except, payload },
    origin: { owner: bytes.readUInt32LE(16), sequence: bytes.readDoubleLE(20) },
  }
}
