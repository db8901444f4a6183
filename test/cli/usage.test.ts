import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, test } from 'node:test'
import { BIN, folder, run } from './run-cli.ts'

const VERBS = ['start', 'restart', 'reload', 'heap', 'tasks', 'stop', 'status', 'info', 'check', 'init', 'connect', 'schema']
const OLD_NODE = "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'22.18.0'}})"

describe('polyport', { concurrency: 2 }, () => {
  const mistakes: readonly [string, readonly string[], RegExp][] = [
    ['no verb', [], /A verb is missing/],
    ['a misspelt verb', ['statsu'], /Unknown verb "statsu", did you mean status\?/],
    ['a verb that is none', ['foo', '--bar'], /Unknown verb "foo"\n/],
    ['an unknown option', ['start', '--nope'], /Unknown argument: nope/],
    ['a word too many', ['stop', 'now'], /Unknown argument: now/],
    ['an option without its value', ['start', '-c'], /Not enough arguments following: c/],
    ['connect without a URL', ['connect'], /polyport connect needs a URL\n/],
    ['connect with a URL of another kind', ['connect', 'http://127.0.0.1:1/'], /expected tcp:\/\/host:port/],
    ['connect without a port', ['connect', 'tcp://127.0.0.1'], /expected tcp:\/\/host:port/],
    ['connect tcp: with a path', ['connect', 'tcp://127.0.0.1:1/path'], /a tcp URL has no path, expected tcp:\/\/host:port\n/],
    ['connect with a wait that is no number', ['connect', 'tcp://127.0.0.1:1', '--wait', 'x'], /--wait must be a number/],
    ['connect with an unknown escape', ['connect', 'tcp://127.0.0.1:1', '--eof', '\\q'], /--eof: unknown escape "\\q"/],
  ]
  for (const [name, args, message] of mistakes) {
    test(`${name} is a sentence on stderr and exit code 2`, async (t) => {
      const { code, stdout, stderr } = await run(t, args)

      assert.equal(code, 2)
      assert.match(stderr, message)
      assert.equal(stdout, '')
    })
  }

  for (const verb of VERBS) {
    test(`${verb} --help shows an example`, async (t) => {
      const { code, stdout } = await run(t, [verb, '--help'])

      assert.equal(code, 0)
      assert.match(stdout, new RegExp(`Examples:\n.*polyport ${verb}`))
    })
  }

  test('--help names every verb', async (t) => {
    const { code, stdout } = await run(t, ['--help'])

    assert.equal(code, 0)
    assert.deepEqual(
      [...stdout.matchAll(/^ {2}polyport (\w+)/gm)].map(([, verb]) => verb),
      VERBS,
    )
  })

  test('--version is the version of the package', async (t) => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

    assert.equal((await run(t, ['--version'])).stdout, `${version}\n`)
  })

  test('an older Node is told what is needed, with exit code 2', async (t) => {
    const { code, stderr } = await run(t, ['status'], { execArgv: ['--import', OLD_NODE] })

    assert.equal(code, 2)
    assert.match(stderr, /^Polyport needs Node\.js 22\.19 or later, this is 22\.18\.0: .*\n$/)
  })

  const old = olderNode()
  test('an older Node that this machine has understands the file and says the same', { skip: old === undefined && 'there is none' }, () => {
    const { status, stdout, stderr } = spawnSync(old?.path ?? '', [BIN, 'status'], { encoding: 'utf8' })

    assert.equal(status, 2)
    assert.equal(stdout, '')
    assert.match(stderr, new RegExp(`^Polyport needs Node\\.js 22\\.19 or later, this is ${old?.version}: .*npm start.*\n$`))
  })

  for (const verb of ['start', 'stop', 'status', 'check']) {
    test(`${verb} in a folder without config.json says how to make one, with exit code 2`, async (t) => {
      const { code, stderr } = await run(t, [verb], { cwd: folder(t) })

      assert.equal(code, 2)
      assert.match(stderr, /^\.\/config\.json: there is no such file: write one with "polyport init"/)
    })

    test(`${verb} -c with a file that is not there says so, with exit code 2`, async (t) => {
      const { code, stderr } = await run(t, [verb, '-c', '/nope/config.json'])

      assert.equal(code, 2)
      assert.match(stderr, /^\/nope\/config\.json: there is no such file: -c names the config file/)
    })
  }
})

describe('polyport info', () => {
  test('shows Polyport, Node, the system and the packages', async (t) => {
    const { code, stdout } = await run(t, ['info'])

    assert.equal(code, 0)
    for (const name of ['polyport', 'node', 'system', 'lmdb', 'ws', 'undici', 'pino', 'prom-client', 'zod'])
      assert.match(stdout, new RegExp(`^${name} +\\S`, 'm'))
  })

  test('names the config that is meant, and whether it is there, without reading it', async (t) => {
    const dir = folder(t)
    const file = join(dir, 'config.json')

    const without = await run(t, ['info'], { cwd: dir })
    writeFileSync(file, 'broken')
    const broken = await run(t, ['info', '--json', '-c', 'config.json'], { cwd: dir })

    assert.ok(
      without.stdout.split('\n').some((line) => line.startsWith('config ') && line.endsWith(`${file} (not there)`)),
      without.stdout,
    )
    assert.deepEqual((JSON.parse(broken.stdout) as { config: object }).config, { file, exists: true })
    assert.equal(broken.code, 0)
  })

  test('--json is for programs', async (t) => {
    const versions = JSON.parse((await run(t, ['info', '--json'])).stdout) as { node: string; packages: Record<string, string> }

    assert.equal(versions.node, process.versions.node)
    assert.match(versions.packages['prom-client'] ?? '', /^\d+\.\d+\.\d+$/)
  })
})

describe('polyport schema', () => {
  test('prints the JSON Schema of the config', async (t) => {
    const { code, stdout } = await run(t, ['schema'])

    assert.equal(code, 0)
    const schema = JSON.parse(stdout) as { $schema: string; properties: Record<string, unknown> }
    assert.match(schema.$schema, /json-schema\.org/)
    assert.ok('ports' in schema.properties)
  })
})

/** The first `node` on the PATH that is too old. */
function olderNode(): { path: string; version: string } | undefined {
  for (const dir of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(dir, 'node')
    if (!existsSync(path)) continue
    const version = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()
    if (Number(version.split('.')[0]) < 22) return { path, version }
  }
  return undefined
}
