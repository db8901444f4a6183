import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type RegisteredConnection, Registry } from '../../src/shared/registry.ts'
import { emptyStore } from './shared-memory.ts'

// As large as the fds of a daemon are.
const FIRST = 25_000_000_000_001

function connection(fd: number, more: Partial<RegisteredConnection> = {}): RegisteredConnection {
  return {
    fd,
    owner: 1,
    port: 'line',
    protocol: 'tcp',
    remoteAddress: '::1',
    remotePort: 5000,
    connectedAt: 1234,
    uid: undefined,
    groups: [],
    worker: 0,
    ...more,
  }
}

function registry(t: TestContext): Registry {
  return new Registry(emptyStore(t))
}

function fds(registry: Registry, filter?: { port?: string; group?: string; uid?: string }): number[] {
  return Array.from(registry.connections(filter), ({ fd }) => fd)
}

const NOTHING = { connections: 0, users: 0, groups: 0 }

describe('Registry', () => {
  test('add() makes a connection known with its user and groups, remove() forgets all of it', (t) => {
    const connections = registry(t)
    const added = connection(FIRST, { uid: 'ann', groups: ['a', 'b'], owner: 7, worker: 3, protocol: 'websocket' })

    connections.add(added)

    assert.deepEqual(connections.get(FIRST), added)
    assert.equal(connections.ownerOf(FIRST), 7)
    assert.equal(connections.uidOf(FIRST), 'ann')
    assert.deepEqual(connections.fdsOf('ann'), [FIRST])
    assert.deepEqual(connections.membersOf('a'), [FIRST])
    assert.deepEqual(connections.groups(), ['a', 'b'])
    assert.deepEqual(connections.counts(), { connections: 1, users: 1, groups: 2 })

    connections.remove(FIRST)

    assert.equal(connections.get(FIRST), undefined)
    assert.equal(connections.ownerOf(FIRST), undefined)
    assert.deepEqual(connections.fdsOf('ann'), [])
    assert.equal(connections.isOnline('ann'), false)
    assert.deepEqual(connections.counts(), NOTHING)
  })

  test('bind() replaces the user, unbind() takes it away', (t) => {
    const connections = registry(t)
    connections.add(connection(FIRST))
    connections.add(connection(FIRST + 1))

    assert.equal(connections.bind(FIRST, 'ann'), true)
    assert.equal(connections.bind(FIRST, 'ann'), true)
    assert.equal(connections.bind(FIRST + 1, 'ann'), true)
    assert.deepEqual(connections.fdsOf('ann'), [FIRST, FIRST + 1])
    assert.equal(connections.counts().users, 1)

    connections.bind(FIRST, 'bob')
    assert.deepEqual(connections.fdsOf('ann'), [FIRST + 1])
    assert.deepEqual(connections.fdsOf('bob'), [FIRST])

    assert.equal(connections.unbind(FIRST), true)
    assert.equal(connections.unbind(FIRST), true)
    assert.equal(connections.isOnline('bob'), false)
    assert.equal(connections.uidOf(FIRST), undefined)
  })

  test('join() and leave() can be called again', (t) => {
    const connections = registry(t)
    connections.add(connection(FIRST))

    assert.equal(connections.join(FIRST, 'a'), true)
    assert.equal(connections.join(FIRST, 'a'), true)
    assert.deepEqual(connections.get(FIRST)?.groups, ['a'])
    assert.deepEqual(connections.membersOf('a'), [FIRST])

    assert.equal(connections.leave(FIRST, 'a'), true)
    assert.equal(connections.leave(FIRST, 'a'), true)
    assert.deepEqual(connections.groups(), [])
    assert.deepEqual(connections.get(FIRST)?.groups, [])
  })

  test('knows no connection by an fd that is none', (t) => {
    const connections = registry(t)
    connections.add(connection(1))

    for (const fd of [
      2,
      0,
      -1,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 32 + 1,
      2 ** 64 + 1,
      2 ** 53,
      '1' as unknown as number,
      undefined as unknown as number,
    ]) {
      assert.equal(connections.get(fd), undefined, String(fd))
      assert.equal(connections.ownerOf(fd), undefined)
      assert.equal(connections.bind(fd, 'ann'), false)
      assert.equal(connections.unbind(fd), false)
      assert.equal(connections.join(fd, 'all'), false)
      assert.equal(connections.leave(fd, 'all'), false)
      connections.remove(fd)
    }
    assert.deepEqual(connections.counts(), { connections: 1, users: 0, groups: 0 })
  })

  const NAMES = ['x', '\0', '__proto__', 'x'.repeat(400), '€'.repeat(133), '\ufffd', '😀', 'a', 'ab', 'a\0']
  const BAD_NAMES = ['', 'x'.repeat(401), '€'.repeat(134), '\ud800', 'x\udc00', 'x'.repeat(100_000), 5, null, undefined, {}]

  test('takes names of 1 to 400 bytes for users and groups, and tells them apart', (t) => {
    const connections = registry(t)
    for (const [i, name] of NAMES.entries()) {
      connections.add(connection(FIRST + i))
      connections.bind(FIRST + i, name)
      connections.join(FIRST + i, name)
    }

    for (const [i, name] of NAMES.entries()) {
      assert.deepEqual(connections.fdsOf(name), [FIRST + i])
      assert.deepEqual(connections.membersOf(name), [FIRST + i])
      assert.equal(connections.get(FIRST + i)?.uid, name)
    }
    assert.deepEqual(new Set(connections.groups()), new Set(NAMES))
  })

  test('refuses other names, and knows nobody by them', (t) => {
    const connections = registry(t)
    connections.add(connection(FIRST, { uid: '\ufffd', groups: ['\ufffd'] }))

    for (const bad of BAD_NAMES as string[]) {
      const isRefusal = (error: unknown): boolean =>
        error instanceof RangeError &&
        /name of a (user|group): expected a well-formed string of 1 to 400 bytes/.test(error.message) &&
        error.message.length < 300
      assert.throws(() => connections.bind(FIRST, bad), isRefusal)
      assert.throws(() => connections.join(FIRST, bad), isRefusal)
      assert.throws(() => connections.add(connection(FIRST + 1, { groups: ['fine', bad] })), isRefusal)
      assert.equal(connections.leave(FIRST, bad), true)
      assert.equal(connections.isOnline(bad), false)
      assert.deepEqual(connections.fdsOf(bad), [])
      assert.deepEqual(connections.membersOf(bad), [])
      if (bad !== undefined) assert.deepEqual(fds(connections, { uid: bad }), [])
    }
    assert.deepEqual(connections.get(FIRST), connection(FIRST, { uid: '\ufffd', groups: ['\ufffd'] }))
    assert.deepEqual(connections.counts(), { connections: 1, users: 1, groups: 1 })
  })

  test('connections() gives those that fit all of the filter, by fd, without their owner', (t) => {
    const connections = registry(t)
    connections.add(connection(FIRST + 3, { port: 'ws', uid: 'ann', groups: ['a'] }))
    connections.add(connection(FIRST, { port: 'line', uid: 'ann', groups: ['a', 'b'] }))
    connections.add(connection(FIRST + 1, { port: 'line', uid: 'bob', groups: ['b'] }))
    connections.add(connection(FIRST + 2, { port: 'ws' }))

    assert.deepEqual(fds(connections), [FIRST, FIRST + 1, FIRST + 2, FIRST + 3])
    assert.deepEqual(fds(connections, { port: 'ws' }), [FIRST + 2, FIRST + 3])
    assert.deepEqual(fds(connections, { group: 'b' }), [FIRST, FIRST + 1])
    assert.deepEqual(fds(connections, { uid: 'ann' }), [FIRST, FIRST + 3])
    assert.deepEqual(fds(connections, { uid: 'ann', group: 'b' }), [FIRST])
    assert.deepEqual(fds(connections, { uid: 'ann', port: 'ws', group: 'a' }), [FIRST + 3])
    assert.deepEqual(fds(connections, { uid: 'bob', port: 'ws' }), [])
    const { owner: _, ...info } = connection(FIRST + 2, { port: 'ws' })
    assert.deepEqual([...connections.connections({ port: 'ws' })][0], info)
  })

  test('gives all of many, in every way to ask', (t) => {
    const connections = registry(t)
    const all = Array.from({ length: 1200 }, (_, i) => FIRST + i)
    for (const fd of all) connections.add(connection(fd, { uid: 'ann', groups: ['all', `group ${fd}`] }))

    assert.deepEqual(fds(connections), all)
    assert.deepEqual(connections.fdsOf('ann'), all)
    assert.deepEqual(connections.membersOf('all'), all)
    assert.equal(connections.groups().length, 1201)
  })

  test('gives the rest when connections go while they are asked for', (t) => {
    const connections = registry(t)
    for (let i = 0; i < 1200; i++) connections.add(connection(FIRST + i, { groups: ['all'] }))

    for (const filter of [{ group: 'all' }, {}]) {
      const seen: number[] = []
      for (const { fd } of connections.connections(filter)) {
        seen.push(fd)
        connections.remove(fd)
        if (seen.length === 600) break
      }
      assert.equal(new Set(seen).size, 600)
    }
    assert.deepEqual(connections.counts(), NOTHING)
  })

  test('purge() leaves a connection that another process takes over meanwhile', (t) => {
    const store = emptyStore(t)
    const connections = new Registry(store)
    for (const fd of [FIRST, FIRST + 1]) connections.add(connection(fd, { uid: 'ann' }))
    // Another process has the lock first: it moves one.
    const { transaction } = store
    store.transaction = (fn) => {
      store.transaction = transaction
      connections.move([FIRST], { owner: 2, slot: 1 })
      return store.transaction(fn)
    }

    assert.deepEqual(connections.purge(1), [FIRST + 1])
    assert.equal(connections.ownerOf(FIRST), 2)
    assert.deepEqual(connections.fdsOf('ann'), [FIRST])
  })

  test('purge() takes all of one owner, and nothing of others', (t) => {
    const connections = registry(t)
    for (let i = 0; i < 1200; i++) connections.add(connection(FIRST + i, { owner: i % 2, uid: `user ${i % 4}`, groups: ['all', `group ${i % 6}`] }))

    const purged = connections.purge(1)

    assert.deepEqual(
      purged,
      Array.from({ length: 600 }, (_, i) => FIRST + 2 * i + 1),
    )
    assert.deepEqual(connections.counts(), { connections: 600, users: 2, groups: 4 })
    assert.equal(connections.membersOf('all').length, 600)
    assert.equal(connections.isOnline('user 1'), false)
    assert.deepEqual(connections.purge(1), [])
    connections.purge(0)
    assert.deepEqual(connections.counts(), NOTHING)
  })

  test('does whatever Maps and Sets do', (t) => {
    const store = emptyStore(t)
    // Few, so that they meet again.
    const fd = fc.integer({ min: FIRST, max: FIRST + 4 })
    const name = fc.constantFrom('a', 'ab', 'b')
    const step = fc.oneof(
      fc.record({
        do: fc.constant('add' as const),
        fd,
        uid: fc.option(name, { nil: undefined }),
        groups: fc.uniqueArray(name),
        owner: fc.integer({ min: 1, max: 2 }),
      }),
      fc.record({ do: fc.constantFrom('remove' as const, 'unbind' as const), fd }),
      fc.record({ do: fc.constantFrom('bind' as const, 'join' as const, 'leave' as const), fd, name }),
      fc.record({ do: fc.constant('purge' as const), owner: fc.integer({ min: 1, max: 2 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const connections = new Registry(store)
        for (const owner of [1, 2]) connections.purge(owner)
        const model = new Map<number, { owner: number; uid: string | undefined; groups: Set<string> }>()
        for (const step of steps) {
          const known = 'fd' in step ? model.get(step.fd) : undefined
          if (step.do === 'add') {
            // An fd is never given again while it is in use.
            if (known !== undefined) continue
            connections.add(connection(step.fd, step))
            model.set(step.fd, { owner: step.owner, uid: step.uid, groups: new Set(step.groups) })
          } else if (step.do === 'purge') {
            connections.purge(step.owner)
            for (const [fd, { owner }] of model) if (owner === step.owner) model.delete(fd)
          } else if (step.do === 'remove') {
            connections.remove(step.fd)
            model.delete(step.fd)
          } else if (!('name' in step)) {
            assert.equal(connections.unbind(step.fd), known !== undefined)
            if (known) known.uid = undefined
          } else {
            assert.equal(connections[step.do](step.fd, step.name), known !== undefined)
            if (step.do === 'bind' && known) known.uid = step.name
            if (step.do === 'join') known?.groups.add(step.name)
            if (step.do === 'leave') known?.groups.delete(step.name)
          }
        }

        const all = [...model].sort(([a], [b]) => a - b)
        assert.deepEqual(fds(connections), [...all.map(([fd]) => fd)])
        for (const name of ['a', 'ab', 'b']) {
          assert.deepEqual(
            connections.fdsOf(name),
            all.filter(([, { uid }]) => uid === name).map(([fd]) => fd),
          )
          assert.deepEqual(
            connections.membersOf(name),
            all.filter(([, { groups }]) => groups.has(name)).map(([fd]) => fd),
          )
        }
        assert.deepEqual(connections.groups(), [...new Set(all.flatMap(([, { groups }]) => [...groups]))].sort())
        for (const [fd, { owner, uid, groups }] of all) {
          assert.equal(connections.ownerOf(fd), owner)
          assert.equal(connections.uidOf(fd), uid)
          assert.deepEqual(connections.get(fd)?.groups, [...groups])
        }
      }),
      { numRuns: 200 },
    )
  })
})
