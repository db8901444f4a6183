import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import { isRunning } from '../daemon-process.ts'
import { eventually } from '../reliability/process-figures.ts'
import { BIN, folder, ROOT } from './run-cli.ts'

const SLOW = `import { HttpHandler } from 'polyport'
export default class Slow extends HttpHandler {
  onRequest(request, response) {
    this.log.info('asked')
    setTimeout(() => response.end('answered'), 700)
  }
}
`
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } }

interface Started {
  readonly npm: ChildProcess
  /** The process of the daemon itself. */
  readonly pid: number
  readonly url: string
  /** Resolves with the first line of the log, from here on, that has this message. */
  readonly until: (message: string) => Promise<string>
  readonly ended: Promise<unknown[]>
}

/** The start script of this package with a config of its own, through npm and in a process group of its own, as a terminal starts it. */
async function npmStart(t: TestContext): Promise<Started> {
  const dir = folder(t)
  const config = join(dir, 'config.json')
  writeFileSync(join(dir, 'slow.mjs'), SLOW)
  writeFileSync(config, JSON.stringify({ ports: [{ name: 'slow', protocol: 'http', port: 0, handler: './slow.mjs' }] }))
  const start = scripts.start.replace('node dist/bin.js', `"${process.execPath}" "${BIN}"`).replace('config.example.json', `"${config}"`)
  // In a folder of its own: the handler finds the package by its name where no other package is nearer.
  const project = folder(t)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'x', version: '1.0.0', scripts: { start } }))
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))
  const npm = spawn('npm', ['start'], { cwd: project, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(npm, 'exit')
  let pid = 0
  t.after(() => {
    for (const process of [npm.pid, pid]) if (process) kill(process, 'SIGKILL')
  })
  let printed = ''
  npm.stderr.on('data', (chunk: Buffer) => {
    printed += chunk
  })
  const lines = createInterface({ input: npm.stdout })[Symbol.asyncIterator]()
  const until = async (message: string): Promise<string> => {
    for (;;) {
      const { value, done } = await lines.next()
      assert.ok(done !== true, `npm ended before "${message}"`)
      if (value.includes(`"msg":"${message}"`)) return value
    }
  }
  pid = (JSON.parse(await until('Ready')) as { pid: number }).pid
  const address = (): string | undefined => /http:\/\/127\.0\.0\.1:\d+\//.exec(printed)?.[0]
  await eventually('the start-up table says where the port is', () => address() !== undefined)
  const url = address() ?? ''
  return { npm, pid, url, until, ended }
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    // It has ended.
    return false
  }
}

describe('npm start', () => {
  test('ends with 0 at Ctrl-C, which its whole process group gets, and answers what is in flight', async (t) => {
    const { npm, url, until, ended } = await npmStart(t)
    const answer = fetch(url).then((response) => response.text())
    await until('asked')

    process.kill(-(npm.pid as number), 'SIGINT')

    assert.deepEqual(await ended, [0, null])
    assert.equal(await answer, 'answered')
  })

  test('does not leave the daemon behind when npm alone is told to end', async (t) => {
    const { npm, pid, ended } = await npmStart(t)

    npm.kill('SIGTERM')
    await ended

    await eventually('the daemon has ended', () => !isRunning(pid), 5000)
  })
})
