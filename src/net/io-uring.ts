import type * as Ffi from 'node:ffi'
import { closeSync } from '../node-fs.ts'

/**
 * An io_uring(7): many system calls for the price of one. Node has none of its own; since 26.1 it can call what the C library exports (`node:ffi`). Only this file does.
 * Not everybody has it: not older lines of Node, `--no-experimental-ffi` or its permission model, kernels before 5.18, nor most containers, whose seccomp profile forbids it.
 */
export interface IoUring {
  /** Entries of `ENTRY_WORDS` each: the next one to fill in is `tail & (capacity - 1)`. */
  readonly entries: Int32Array
  /** How many entries were ever filled in. It wraps around at 32 bits. */
  tail: number
  /** Memory whose address the kernel may be told. */
  readonly area: Buffer
  readonly areaAddress: number
  /**
   * Has the kernel do what the entries since the last call say, and returns when all of it is done.
   * @param onDone gets an entry's `user_data` and its result: what the system call would return, or a negative errno
   * @returns false when the kernel has not taken all of them: those are not done, and the ring is not to be used any more
   */
  submit(onDone: (userData: number, result: number) => void): boolean
}

// The same numbers on all architectures that came to Linux since 2019, and on x86-64 and arm64.
const IO_URING_SETUP = 425n
const IO_URING_ENTER = 426n
// An entry that cannot be done does not keep those behind it from being done. Kernels since 5.18: they have all else that is needed here, too.
const SETUP_SUBMIT_ALL = 1 << 7
const ENTER_GETEVENTS = 1n
const OFFSET_OF_ENTRIES = 0x1000_0000n
const PROT_READ_WRITE = 3
const MAP_SHARED_POPULATE = 0x8001
/** Words of an entry, `struct io_uring_sqe`. */
export const ENTRY_WORDS = 16
const COMPLETION_BYTES = 16
const SIGNATURES = {
  syscall: { arguments: ['int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64'], return: 'int64' },
  mmap: { arguments: ['int64', 'int64', 'int32', 'int32', 'int32', 'int64'], return: 'int64' },
} as const

/**
 * @param capacity how many entries may wait for `submit`: a power of two
 * @throws Error with what is missing here
 */
export function openIoUring({ capacity, areaBytes }: { readonly capacity: number; readonly areaBytes: number }): IoUring {
  if (process.platform !== 'linux') throw new Error('only Linux has it')
  const ffi = loadFfi()
  // Kept as a whole: its functions are of no use once it is collected.
  const library = ffi.dlopen(null, SIGNATURES)
  const call = (number: bigint, ...args: bigint[]): number => {
    const [a = 0n, b = 0n, c = 0n, d = 0n] = args
    return Number(library.functions.syscall(number, a, b, c, d, 0n, 0n))
  }
  // struct io_uring_params: sq_entries, cq_entries, flags; sq_off from word 10 on, cq_off from word 20 on.
  const params = new Uint32Array(30)
  params[2] = SETUP_SUBMIT_ALL
  const fd = call(IO_URING_SETUP, BigInt(capacity), ffi.getRawPointer(params))
  if (fd < 0) throw new Error('this kernel is too old for it, or forbids it')
  const param = (word: number): number => params[word] ?? 0
  const map = (bytes: number, offset: bigint): Int32Array => {
    const address = library.functions.mmap(0n, BigInt(bytes), PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, offset)
    if (address < 0n) {
      closeSync(fd)
      throw new Error('there is no memory for it')
    }
    return new Int32Array(ffi.toArrayBuffer(address, bytes, false))
  }
  // Both queues are in one mapping (since Linux 5.4): numbers of entries, and completions.
  const numCompletions = param(1)
  const queues = map(Math.max(param(16) + 4 * capacity, param(25) + COMPLETION_BYTES * numCompletions), 0n)
  const entries = map(4 * ENTRY_WORDS * capacity, OFFSET_OF_ENTRIES)
  const [headAt, tailAt, arrayAt] = [param(10) / 4, param(11) / 4, param(16) / 4]
  const [doneHeadAt, doneTailAt, doneAt] = [param(20) / 4, param(21) / 4, param(25) / 4]
  for (let i = 0; i < capacity; i++) queues[arrayAt + i] = i
  const area = Buffer.allocUnsafeSlow(areaBytes)
  const descriptor = BigInt(fd)

  function collect(onDone: (userData: number, result: number) => void): number {
    const begin = Atomics.load(queues, doneHeadAt)
    const end = Atomics.load(queues, doneTailAt)
    for (let i = begin; i !== end; i = (i + 1) | 0) {
      const at = doneAt + 4 * (i & (numCompletions - 1))
      onDone(queues[at] ?? 0, queues[at + 2] ?? 0)
    }
    Atomics.store(queues, doneHeadAt, end)
    return (end - begin) | 0
  }

  return {
    entries,
    tail: 0,
    area,
    areaAddress: Number(ffi.getRawPointer(area)),
    submit(onDone) {
      const numEntries = (this.tail - Atomics.load(queues, headAt)) | 0
      Atomics.store(queues, tailAt, this.tail)
      const numTaken = call(IO_URING_ENTER, descriptor, BigInt(numEntries))
      let numDone = collect(onDone)
      // What need not wait is done by now. Should the kernel see that otherwise, its memory is not ours before it is.
      while (numDone < numTaken) {
        call(IO_URING_ENTER, descriptor, 0n, 1n, ENTER_GETEVENTS)
        numDone += collect(onDone)
      }
      return numTaken === numEntries
    },
  }
}

/** @throws Error when this Node has no `node:ffi`, or may not use it */
function loadFfi(): typeof Ffi {
  // It warns that it is experimental. Nobody who runs a daemon can do anything about that: what goes wrong is told where it is used.
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    const ffi = process.getBuiltinModule('node:ffi')
    if (ffi === undefined) throw new Error('this version of Node has no node:ffi')
    return ffi
  } finally {
    process.emitWarning = emitWarning
  }
}
