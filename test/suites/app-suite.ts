import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createDaemon, type Daemon } from 'polyport'

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'apps')

export interface Asked {
  readonly method?: string
  readonly path: string
  readonly headers?: http.OutgoingHttpHeaders
  readonly body?: string | Buffer
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  /** Whether it came to its end. */
  readonly isWhole: boolean
}

/** One request on a connection of its own. */
export function ask(port: number, { method = 'GET', path, headers = {}, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => {})
      response.on('close', () => {
        const { date: _, ...rest } = response.headers
        resolve({
          status: response.statusCode ?? 0,
          headers: rest,
          body: Buffer.concat(chunks).toString().replaceAll(`127.0.0.1:${port}`, 'here'),
          isWhole: response.complete,
        })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

export function portOf(daemon: Daemon): number {
  return Number(daemon.ports[0]?.address.split(':').at(-1))
}

const JSON_TYPE = { 'Content-Type': 'application/json' }

/** What an app has to answer as on its own server: name, request, the status expected on both. */
const REQUESTS: readonly (readonly [name: string, asked: Asked, status: number | readonly number[]])[] = [
  ['a route with a query', { path: '/hello?name=Ann%20B' }, 200],
  ['HEAD', { method: 'HEAD', path: '/hello' }, 200],
  ['JSON', { path: '/json' }, 200],
  ['a JSON body', { method: 'POST', path: '/echo', headers: JSON_TYPE, body: '{"b":[1,"ü"]}' }, 201],
  ['a JSON body that is none', { method: 'POST', path: '/echo', headers: JSON_TYPE, body: '{"b":' }, 400],
  [
    'a large upload',
    { method: 'POST', path: '/upload', headers: { 'Content-Type': 'application/octet-stream' }, body: Buffer.alloc(3_000_000, 'abc') },
    [200, 201],
  ],
  ['a stream', { path: '/stream' }, 200],
  ['a throw', { path: '/throw' }, 500],
  ['a rejection', { path: '/reject' }, [418, 500]],
  ['a stream that breaks off', { path: '/broken' }, 200],
  ['several cookies', { path: '/cookies' }, 200],
  ['a redirect', { path: '/redirect' }, 302],
  ['an empty answer', { path: '/empty' }, 204],
  ['a file', { path: '/file' }, 200],
  ['a range of a file', { path: '/file', headers: { Range: 'bytes=10-19' } }, 206],
  ['what is not there', { path: '/not/there' }, 404],
  ['a method that is not there', { method: 'DELETE', path: '/json' }, [404, 405]],
]

export interface SuiteOptions {
  /** Requests of the suite that the app's own server cannot take: a throw outside of a framework ends its process. */
  readonly except?: readonly string[]
  /** Headers in which the framework's own server differs from the one that is used here. */
  readonly otherHeaders?: readonly string[]
  /** Requests whose answer has no Content-Type there. */
  readonly untyped?: readonly string[]
}

/** Runs a fixture both as the handler of a port and on its own server, and compares every byte that is not the time. */
export function appSuite(fixture: string, { except = [], otherHeaders = [], untyped = [] }: SuiteOptions = {}): void {
  const file = join(FIXTURES, fixture)
  let daemon: Daemon
  let own: { port: number; close: () => unknown }
  const folder = mkdtempSync(join(tmpdir(), 'polyport-app-'))
  const admin = { path: join(folder, 'admin.sock') }

  before(async () => {
    // Another instance of the same module.
    const module = (await import(`${file}?own`)) as { serve: () => Promise<typeof own> }
    own = await module.serve()
    daemon = await createDaemon({ log: { level: 'silent' }, maxWaitSeconds: 1, admin, ports: [{ protocol: 'http', port: 0, handler: file }] })
  })
  after(async () => {
    await own?.close()
    await daemon?.stop()
    rmSync(folder, { recursive: true })
  })

  describe(`${fixture} answers as on its own server`, () => {
    for (const [name, asked, status] of REQUESTS) {
      if (except.includes(name)) continue
      test(name, async () => {
        const expected = await ask(own.port, asked)
        const answer = await ask(portOf(daemon), asked)

        if (untyped.includes(name)) delete answer.headers['content-type']
        for (const { headers } of [answer, expected]) for (const name of otherHeaders) delete headers[name]
        assert.deepEqual(answer, expected)
        assert.ok([status].flat().includes(answer.status), `${answer.status}`)
      })
    }

    test('events leave when they happen', async () => {
      for (const port of [own.port, portOf(daemon)]) {
        const { first, rest } = await eventsOf(port)

        assert.match(first, /data: ?one\n\n/)
        assert.match(rest, /data: ?two\n\n/)
      }
    })

    test('several requests on one connection, and each is counted when it has its answer', async () => {
      const before = await countedRequests(admin.path)
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      const statuses: (number | undefined)[] = []
      for (const path of ['/hello', '/json', '/empty', '/not/there', '/hello']) {
        statuses.push(
          await new Promise((resolve, reject) => {
            http
              .get({ agent, host: '127.0.0.1', port: portOf(daemon), path }, (response) => response.resume().on('end', () => resolve(response.statusCode)))
              .on('error', reject)
          }),
        )
      }
      const counted = (await countedRequests(admin.path)) - before
      agent.destroy()

      assert.deepEqual(statuses, [200, 200, 204, 404, 200])
      assert.equal(counted, statuses.length)
    })
  })
}

/** How many requests the metrics tell of. */
async function countedRequests(socketPath: string): Promise<number> {
  const [response] = (await once(http.get({ socketPath, path: '/metrics', agent: false }), 'response')) as [http.IncomingMessage]
  let page = ''
  for await (const chunk of response) page += chunk
  return [...page.matchAll(/^polyport_http_requests_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** What comes before the app is told to go on, and what comes after. */
export function eventsOf(port: number): Promise<{ first: string; rest: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/events', agent: false }, (response) => {
      let first: string | undefined
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (first !== undefined || !text.includes('one')) return
        first = text
        text = ''
        ask(port, { method: 'POST', path: '/go-on' }).catch(reject)
      })
      response.on('end', () => resolve({ first: first ?? '', rest: text }))
    })
    request.on('error', reject)
  })
}
