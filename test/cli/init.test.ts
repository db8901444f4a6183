import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { DaemonStatus } from '../../src/admin/status.ts'
import { folder, launch, ROOT, run } from './run-cli.ts'

const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')

/** What npm install does, as far as it is needed. */
function install(dir: string): void {
  mkdirSync(join(dir, 'node_modules'))
  symlinkSync(ROOT, join(dir, 'node_modules', 'polyport'))
  symlinkSync(join(ROOT, 'node_modules', '@types'), join(dir, 'node_modules', '@types'))
}

/** Ports that a test may open, and no admin port; else the config as it was written. */
function listenAnywhere(file: string): void {
  const { admin: _, ...config } = JSON.parse(readFileSync(file, 'utf8')) as { admin: unknown; ports: object[] }
  writeFileSync(file, JSON.stringify({ ...config, ports: config.ports.map((port) => ({ ...port, port: 0 })) }))
}

describe('polyport init', () => {
  test('writes a project that checks, type-checks, starts and answers', async (t) => {
    const dir = join(folder(t), 'shop')

    const written = await run(t, ['init', dir])
    install(dir)
    const checked = await run(t, ['check'], { cwd: dir })
    await promisify(execFile)(process.execPath, [TSC, '-p', dir]).catch((error: { stdout: string }) => assert.fail(error.stdout))

    assert.equal(written.code, 0)
    assert.match(written.stdout, /npx polyport start/)
    assert.equal(checked.stderr, '')
    assert.equal(checked.code, 0)

    listenAnywhere(join(dir, 'config.json'))
    const { child, ended } = launch(t, ['start'], { cwd: dir })
    while (!String((await once(child.stdout, 'data'))[0]).includes('"Ready"'));
    const { ports } = JSON.parse((await run(t, ['status', '--json'], { cwd: dir })).stdout) as DaemonStatus
    const address = ports.find(({ name }) => name === 'api')?.address
    assert.match(await (await fetch(`http://${address}/`)).text(), /^Hello from /)
    assert.equal((await run(t, ['stop'], { cwd: dir })).code, 0)
    assert.equal((await ended).code, 0)
  })

  test('the config names the schema of the package when that brings one', async (t) => {
    const dir = folder(t)

    await run(t, ['init', dir])

    const { $schema } = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as { $schema?: string }
    assert.equal($schema, existsSync(join(ROOT, 'config.schema.json')) ? './node_modules/polyport/config.schema.json' : undefined)
  })

  test('names what is there already, writes nothing, and exits with 1', async (t) => {
    const dir = folder(t)
    writeFileSync(join(dir, 'config.json'), 'mine')

    const { code, stdout, stderr } = await run(t, ['init'], { cwd: dir })

    assert.equal(code, 1)
    assert.match(stderr, /^Nothing was written, .*\n {2}config\.json\n.*--force\n$/)
    assert.equal(stdout, '')
    assert.deepEqual(readdirSync(dir), ['config.json'])
    assert.equal(readFileSync(join(dir, 'config.json'), 'utf8'), 'mine')
  })

  test('--force overwrites the config, but no package.json or tsconfig.json', async (t) => {
    const dir = folder(t)
    for (const name of ['config.json', 'package.json', 'tsconfig.json']) writeFileSync(join(dir, name), '{}')

    const { code } = await run(t, ['init', '--force'], { cwd: dir })

    assert.equal(code, 0)
    assert.match(readFileSync(join(dir, 'config.json'), 'utf8'), /"ports"/)
    for (const name of ['package.json', 'tsconfig.json']) assert.equal(readFileSync(join(dir, name), 'utf8'), '{}')
  })

  test('says what of a folder that is not empty was kept and what overwritten', async (t) => {
    const dir = folder(t)
    mkdirSync(join(dir, 'protocols'))
    const mine = ['protocols/mine.ts', 'package.json', ...Array.from({ length: 9 }, (_, i) => `${i}.txt`)]
    for (const name of [...mine, 'config.json']) writeFileSync(join(dir, name), '{}')

    const { stdout } = await run(t, ['init', '--force'], { cwd: dir })
    const { stdout: empty } = await run(t, ['init', join(dir, 'empty')])

    assert.match(stdout, /^ {2}config\.json \(in place of what was there\)$/m)
    assert.match(stdout, /^ {2}tsconfig\.json$/m)
    assert.match(stdout, /^Kept as it was: 0\.txt, .*, 8\.txt, package\.json and 1 more\n\nNext:/m)
    assert.doesNotMatch(empty, /[Kk]ept|in place/)
    for (const name of mine) assert.equal(readFileSync(join(dir, name), 'utf8'), '{}')
  })

  test('a place that takes no folders is a sentence and exit code 1', { skip: !existsSync('/proc/self') && 'there is no /proc' }, async (t) => {
    const { code, stderr } = await run(t, ['init', '/proc/foo/bar'])

    assert.equal(code, 1)
    assert.equal(stderr, "Cannot write /proc/foo/bar/config.json: ENOENT: /proc takes no new folders, mkdir '/proc/foo'\n")
  })

  test('a folder that cannot be made is a sentence and exit code 1', async (t) => {
    const file = join(folder(t), 'taken')
    writeFileSync(file, '')

    const { code, stdout, stderr } = await run(t, ['init', file])

    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /^Cannot write .*taken.*: EEXIST: .*\n$/)
  })

  test('the handlers also load in a project of CommonJS, as npm init writes it', async (t) => {
    const dir = folder(t)
    writeFileSync(join(dir, 'package.json'), '{ "type": "commonjs" }')

    const { stdout } = await run(t, ['init'], { cwd: dir })
    install(dir)
    const { code, stderr } = await run(t, ['check'], { cwd: dir })

    assert.equal(stderr, '')
    assert.equal(code, 0)
    assert.match(stdout, /npm pkg set type=module/)
  })
})
