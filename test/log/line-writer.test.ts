import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LineWriter, type WriteSync } from '../../src/log/line-writer.ts'

/** A descriptor that takes as many bytes as it is told, then fails with `code`. */
class FakeFile {
  text = ''
  room = Number.POSITIVE_INFINITY
  code = 'EAGAIN'

  readonly write: WriteSync = (_fd, bytes, offset) => {
    if (this.room === 0) throw Object.assign(new Error(this.code), { code: this.code })
    const taken = bytes.subarray(offset, offset + Math.min(this.room, bytes.length - offset))
    this.room -= taken.length
    this.text += Buffer.from(taken).toString()
    return taken.length
  }
}

describe('LineWriter', () => {
  test('write() puts each line out before it returns', () => {
    const file = new FakeFile()
    const writer = new LineWriter(1, file.write)

    writer.write('one\n')
    assert.equal(file.text, 'one\n')
    writer.write('two\n')
    assert.equal(file.text, 'one\ntwo\n')
    assert.equal(writer.takeLost(), 0)
  })

  test('a line that EAGAIN cuts is completed before the next one', () => {
    const file = new FakeFile()
    const writer = new LineWriter(1, file.write)
    file.room = 2

    writer.write('one\n')
    writer.write('two\n')
    assert.equal(file.text, 'on')
    file.room = Number.POSITIVE_INFINITY
    writer.write('three\n')

    assert.equal(file.text, 'one\ntwo\nthree\n')
    assert.equal(writer.dropped, 0)
  })

  test('what waits leaves by itself once there is room', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const file = new FakeFile()
    const writer = new LineWriter(1, file.write)
    file.room = 0
    writer.write('one\n')
    context.mock.timers.tick(100)
    assert.equal(file.text, '')

    file.room = Number.POSITIVE_INFINITY
    context.mock.timers.tick(100)

    assert.equal(file.text, 'one\n')
  })

  test('what does not fit 64 KiB is dropped whole, counted, and told of once there is room', () => {
    const file = new FakeFile()
    const writer = new LineWriter(1, file.write)
    const line = `${'x'.repeat(1023)}\n`
    file.room = 0
    for (let i = 0; i < 70; i++) writer.write(line)
    assert.deepEqual([writer.dropped, writer.takeLost()], [6, 0])

    file.room = Number.POSITIVE_INFINITY
    writer.write('last\n')

    assert.equal(file.text, `${line.repeat(64)}last\n`)
    assert.deepEqual([writer.takeLost(), writer.takeLost()], [6, 0])
  })

  for (const code of ['EPIPE', 'ENOSPC', 'EIO', 'EBADF']) {
    test(`${code} drops the line, throws nothing, and the next line is tried again`, () => {
      const file = new FakeFile()
      const writer = new LineWriter(1, file.write)
      file.room = 0
      file.code = code
      writer.write('one\n')
      writer.write('two\n')
      assert.deepEqual([writer.dropped, writer.takeLost()], [2, 0])

      file.room = Number.POSITIVE_INFINITY
      writer.write('three\n')

      assert.equal(file.text, 'three\n')
      assert.equal(writer.takeLost(), 2)
    })
  }
})
