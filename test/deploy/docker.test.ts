import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'jsonc-parser'
import { ROOT } from '../docs/blocks.ts'

interface Example {
  runtimeDir: string
  dataDir?: string
  admin: { host: string; port: number }
  ports: { protocol: string; host?: string; port: number }[]
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const dockerfile = read('Dockerfile')
const image = parse(read('deploy/docker.config.json')) as Example
const example = parse(read('config.example.json')) as Example

describe('the image', () => {
  test('runs the example: the same but for hosts and folders', () => {
    const { dataDir, ...rest } = JSON.parse(JSON.stringify(image).replaceAll('"../', '"./').replaceAll('${POLYPORT_NAME:-example}', 'example')) as Example
    const ports = rest.ports.map(({ host, ...port }) => {
      assert.equal(host, '${POLYPORT_HOST:-0.0.0.0}')
      return port
    })

    assert.equal(dataDir, './data')
    assert.deepEqual({ ...rest, ports }, example)
  })

  test('exposes every port of its config, and not the admin port', () => {
    const exposed = /^EXPOSE (.*)$/m.exec(dockerfile)?.[1]?.split(' ') ?? []
    const expected = image.ports.map(({ protocol, port }) => (protocol === 'udp' ? `${port}/udp` : `${port}`))

    assert.deepEqual(exposed.toSorted(), expected.toSorted())
  })

  test('asks the admin port of its config for its health', () => {
    const { host, port } = image.admin

    assert.match(dockerfile, new RegExp(`http://${host.replaceAll('.', '\\.')}:${port}/healthz`))
  })

  test('is made of files that are there and that .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []))
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, sources]) => sources?.split(' ') ?? [])

    assert.ok(copied.length > 5)
    for (const source of copied) {
      const path = source.replace(/^\.\//, '')
      assert.ok(existsSync(join(ROOT, path)), `${path} is there`)
      assert.ok(allowed.includes(path.split('/')[0] ?? ''), `.dockerignore lets ${path} through`)
    }
  })

  test('does not run as root', () => {
    assert.match(dockerfile, /^USER node$/m)
  })
})
