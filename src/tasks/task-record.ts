/**
 * A task as bytes, the same on disk and between processes: who delivers writes them once, the queue stores and passes them on without looking
 * at the input. Little-endian: f64 id, producer, deliveredAt, due and backoff; u32 tries and attempts; u16 kills; u8 stage and kind; u16
 * lengths of the names of class and event, u32 length of the input; the names, the input, and the output once there is one.
 */
const HEAD_BYTES = 60
const AT = {
  id: 0,
  producer: 8,
  deliveredAt: 16,
  due: 24,
  backoffMs: 32,
  tries: 40,
  attempts: 44,
  kills: 48,
  stage: 50,
  kind: 51,
  names: 52,
  input: 56,
} as const
const LENGTH_BYTES = 4
// As many as its place holds; `tries` may be more.
const MAX_KILLS = 0xffff

/** The form above. A store that says otherwise was written by another version. */
export const RECORD_VERSION = 1

/** What is to be done next with a task. */
export const STAGE = { handle: 0, finish: 1 } as const
export type Stage = (typeof STAGE)[keyof typeof STAGE]

/** `run` is a task that somebody waits for: it is not stored. */
export const KIND = { task: 0, listener: 1, run: 2 } as const
export type Kind = (typeof KIND)[keyof typeof KIND]

export interface TaskRecord {
  readonly id: number
  /** The first id of the process that has delivered it. */
  readonly producer: number
  readonly deliveredAt: number
  readonly due: number
  readonly backoffMs: number
  readonly tries: number
  /** Attempts that have ended in an error. */
  readonly attempts: number
  /** Processes that have died while this task alone ran in them. */
  readonly kills: number
  readonly stage: Stage
  readonly kind: Kind
  readonly className: string
  /** Of what listens to an event; empty otherwise. */
  readonly eventName: string
  readonly input: Buffer
  readonly output: Buffer
}

export function encodeRecord(record: TaskRecord): Buffer {
  const classBytes = Buffer.byteLength(record.className)
  const eventBytes = Buffer.byteLength(record.eventName)
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + classBytes + eventBytes + record.input.length + record.output.length)
  bytes.writeDoubleLE(record.id, AT.id)
  bytes.writeDoubleLE(record.producer, AT.producer)
  bytes.writeDoubleLE(record.deliveredAt, AT.deliveredAt)
  bytes.writeDoubleLE(record.backoffMs, AT.backoffMs)
  bytes.writeUInt32LE(record.tries, AT.tries)
  bytes[AT.kind] = record.kind
  bytes.writeUInt16LE(classBytes, AT.names)
  bytes.writeUInt16LE(eventBytes, AT.names + 2)
  bytes.writeUInt32LE(record.input.length, AT.input)
  writeState(bytes, record)
  let at = HEAD_BYTES
  at += bytes.write(record.className, at)
  at += bytes.write(record.eventName, at)
  bytes.set(record.input, at)
  bytes.set(record.output, at + record.input.length)
  return bytes
}

/** Gives a record the numbers of itself and of who delivers it. */
export function number(bytes: Buffer, id: number, producer: number): void {
  bytes.writeDoubleLE(id, AT.id)
  bytes.writeDoubleLE(producer, AT.producer)
}

/** Changes what changes in the life of a task, in place. */
export function writeState(bytes: Buffer, state: Pick<TaskRecord, 'due' | 'attempts' | 'kills' | 'stage'>): void {
  bytes.writeDoubleLE(state.due, AT.due)
  bytes.writeUInt32LE(state.attempts, AT.attempts)
  bytes.writeUInt16LE(Math.min(state.kills, MAX_KILLS), AT.kills)
  bytes[AT.stage] = state.stage
}

/** The input and output are views of `bytes`. */
export function decodeRecord(bytes: Buffer): TaskRecord {
  const eventAt = HEAD_BYTES + bytes.readUInt16LE(AT.names)
  const inputAt = eventAt + bytes.readUInt16LE(AT.names + 2)
  const outputAt = inputAt + bytes.readUInt32LE(AT.input)
  return {
    id: bytes.readDoubleLE(AT.id),
    producer: bytes.readDoubleLE(AT.producer),
    deliveredAt: bytes.readDoubleLE(AT.deliveredAt),
    due: bytes.readDoubleLE(AT.due),
    backoffMs: bytes.readDoubleLE(AT.backoffMs),
    tries: bytes.readUInt32LE(AT.tries),
    attempts: bytes.readUInt32LE(AT.attempts),
    kills: bytes.readUInt16LE(AT.kills),
    stage: bytes[AT.stage] as Stage,
    kind: bytes[AT.kind] as Kind,
    className: bytes.toString('utf8', HEAD_BYTES, eventAt),
    eventName: eventAt === inputAt ? '' : bytes.toString('utf8', eventAt, inputAt),
    input: bytes.subarray(inputAt, outputAt),
    output: bytes.subarray(outputAt),
  }
}

/** The record with its output. */
export function withOutput(bytes: Buffer, output: Uint8Array): Buffer {
  return Buffer.concat([bytes, output])
}

/** Several records as one message. */
export function pack(records: readonly Buffer[]): Buffer {
  let length = 0
  for (const record of records) length += LENGTH_BYTES + record.length
  const bytes = Buffer.allocUnsafe(length)
  let at = 0
  for (const record of records) {
    at = bytes.writeUInt32LE(record.length, at)
    bytes.set(record, at)
    at += record.length
  }
  return bytes
}

/** Views of what was packed. */
export function unpack(packed: Uint8Array): Buffer[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const start = at + LENGTH_BYTES
    at = start + bytes.readUInt32LE(at)
    records.push(bytes.subarray(start, at))
  }
  return records
}
