import assert from 'node:assert/strict'
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { sharedMemoryDir } from '../../src/shared/memory-folder.ts'
import { Store } from '../../src/shared/store.ts'
import { temporaryFolder } from './shared-memory.ts'

const isRoot = process.getuid?.() === 0
const key = Buffer.from('key')

describe('Store', () => {
  test('create() begins empty, in place of what was there; only its user may enter', (t) => {
    const dir = join(temporaryFolder(t), 'memory')
    const first = Store.create({ dir })
    first.rows('r').put(key, Buffer.from('1'))
    first.close()

    const second = Store.create({ dir })
    t.after(() => second.destroy())

    assert.equal(second.rows('r').count, 0)
    assert.equal(statSync(dir).mode & 0o777, 0o700)
  })

  test('open() shares what create() has made', (t) => {
    const dir = join(temporaryFolder(t), 'memory')
    const made = Store.create({ dir })
    t.after(() => made.destroy())
    made.rows('r').put(key, Buffer.from('1'))

    const opened = Store.open({ dir })

    assert.equal(opened.rows('r').get(key)?.toString(), '1')
    opened.close()
  })

  for (const [name, make] of [
    ['create()', Store.create],
    ['open()', Store.open],
  ] as const) {
    test(`${name} refuses a symlink, and leaves what it leads to`, (t) => {
      const folder = temporaryFolder(t)
      const [target, dir] = [join(folder, 'target'), join(folder, 'link')]
      mkdirSync(target)
      writeFileSync(join(target, 'file'), '')
      symlinkSync(target, dir)

      assert.throws(() => make({ dir }), { message: `Cannot use ${dir} as shared memory: it is not a folder of this user; remove it` })

      assert.deepEqual(readdirSync(target), ['file'])
      assert.ok(lstatSync(dir).isSymbolicLink())
    })

    test(`${name} refuses a dangling symlink`, (t) => {
      const folder = temporaryFolder(t)
      const dir = join(folder, 'link')
      symlinkSync(join(folder, 'nowhere'), dir)

      assert.throws(() => make({ dir }), /it is not a folder of this user/)
      assert.equal(existsSync(join(folder, 'nowhere')), false)
    })

    test(`${name} refuses a file`, (t) => {
      const dir = join(temporaryFolder(t), 'file')
      writeFileSync(dir, 'mine')

      assert.throws(() => make({ dir }), /it is not a folder of this user/)
      assert.equal(statSync(dir).size, 4)
    })

    test(`${name} refuses a folder of another user`, { skip: !isRoot && 'only root can give a folder away' }, (t) => {
      const dir = join(temporaryFolder(t), 'foreign')
      mkdirSync(dir)
      writeFileSync(join(dir, 'file'), '')
      chownSync(dir, 65534, 65534)

      assert.throws(() => make({ dir }), /it is not a folder of this user/)
      assert.deepEqual(readdirSync(dir), ['file'])
    })
  }

  test('close() and destroy() can be called again', (t) => {
    const dir = join(temporaryFolder(t), 'memory')
    const store = Store.create({ dir })
    store.close()
    store.close()
    store.destroy()
    store.destroy()

    assert.equal(existsSync(dir), false)
  })

  test('openDurable() finds again what was put before it was closed', (t) => {
    const dir = join(temporaryFolder(t), 'data/tables')
    const store = Store.openDurable({ dir })
    store.rows('r').put(key, Buffer.from('1'))
    store.close()

    const again = Store.openDurable({ dir })
    t.after(() => again.close())

    assert.equal(again.rows('r').get(key)?.toString(), '1')
    assert.equal(statSync(dir).mode & 0o777, 0o700)
  })
})

describe('sharedMemoryDir()', () => {
  test('is the same for one folder however it is written, and another for another', () => {
    assert.equal(sharedMemoryDir('/a/run'), sharedMemoryDir('/a/b/../run/'))
    assert.notEqual(sharedMemoryDir('/a/run'), sharedMemoryDir('/b/run'))
  })
})
