import assert from 'node:assert/strict'
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Client, childrenOf, closeAll, DaemonProcess } from '../daemon-process.ts'
import { eventually } from '../reliability/process-figures.ts'

// What strips types in Node, and takes 15 MiB of a process for it.
const STRIPPER = 'NativeModule internal/deps/amaro/dist/index'
const HANDLER = `
import { TcpHandler, type Connection } from 'polyport'
import { name } from './names.mjs'
export default class Told extends TcpHandler {
  override onReceive(connection: Connection): void {
    connection.send([process.pid, name, process.moduleLoadList.includes('${STRIPPER}')].join(' '))
  }
}`
// By way of JavaScript, and without a word of its own that makes it a module.
const FILES = { 'told.ts': HANDLER, 'names.mjs': `export { name } from './name.ts'`, 'name.ts': `export const name: string = 'first'` }
const CONFIG = { ports: [{ name: 'tcp', protocol: 'tcp', port: 0, handler: './told.ts' }] }

async function told(daemon: DaemonProcess): Promise<{ pid: number; name: string | undefined; hasStripped: boolean }> {
  const client = await Client.open(await daemon.address('tcp'))
  client.write('tell\r\n')
  await client.until(1)
  const [pid, name, hasStripped] = client.text.trimEnd().split(' ')
  closeAll([client])
  return { pid: Number(pid), name, hasStripped: hasStripped === 'true' }
}

/** A folder of a project that has the package, and does not say what its .js and .ts files are. */
function withoutType(dir: string): void {
  writeFileSync(join(dir, 'package.json'), '{}')
  mkdirSync(join(dir, 'node_modules'))
  symlinkSync(new URL('../..', import.meta.url).pathname, join(dir, 'node_modules', 'polyport'))
}

/** The handler is a link into another folder, as the whole folder of a release may be. */
function linked(dir: string): void {
  mkdirSync(join(dir, 'a release'))
  for (const name of Object.keys(FILES)) renameSync(join(dir, name), join(dir, 'a release', name))
  symlinkSync(join(dir, 'a release', 'told.ts'), join(dir, 'told.ts'))
}

for (const [where, prepare] of [
  ['of "type": "module"', undefined],
  ['that does not say what its files are', withoutType],
  ['that is reached by a link', linked],
] as const) {
  test(`types are stripped once for all workers, in a folder ${where}`, async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES, ...(prepare && { prepare }) })
    const { name, hasStripped } = await told(daemon)
    assert.deepEqual({ name, hasStripped }, { name: 'first', hasStripped: false })
  })
}

test('a reload, and a worker that follows a dead one, have the code that is there now', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  writeFileSync(join(daemon.dir, 'name.ts'), `export const name: string = 'second'`)
  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
  const { pid, ...reloaded } = await told(daemon)
  assert.deepEqual(reloaded, { name: 'second', hasStripped: false })

  writeFileSync(join(daemon.dir, 'name.ts'), `export const name: string = 'third'`)
  process.kill(pid, 'SIGKILL')
  await eventually(
    'another has its place',
    async () => childrenOf(daemon.pid).some((child) => child !== pid) && (await daemon.request('GET', '/readyz')).status === 200,
  )
  const { name } = await told(daemon)
  assert.equal(name, 'third')
})
