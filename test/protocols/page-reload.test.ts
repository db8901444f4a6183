import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium, type Page } from 'playwright-core'
import { DaemonProcess } from '../daemon-process.ts'
import { ROOT } from '../docs/blocks.ts'
import { program } from './example-daemon.ts'

const NUM_RELOADS = 5

const executablePath = program('chromium')

/** The example's config, on ports that the system chooses, with two workers. */
function exampleConfig(): object {
  const text = readFileSync(join(ROOT, 'config.example.json'), 'utf8')
  const config = JSON.parse(text.replaceAll(/"port": \d+/g, '"port": 0').replaceAll('./protocols', join(ROOT, 'protocols')))
  return { ...config, workers: 2, runtimeDir: './run' }
}

test('two browsers chat over five reloads, each with the WebSocket that it began with', {
  skip: executablePath === undefined ? 'chromium is not installed' : false,
}, async (t) => {
  const daemon = await DaemonProcess.start(t, exampleConfig())
  const { host, port } = await daemon.address('web')
  const browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] })
  t.after(() => browser.close())
  const seen: string[] = []
  const open = async (name: string): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    page.on('websocket', (webSocket) => {
      seen.push(`${name} opened one`)
      webSocket.on('close', () => seen.push(`${name} closed one`))
    })
    await page.addInitScript((value) => localStorage.setItem('name', value), name)
    await page.goto(`http://${host}:${port}/`)
    await page.locator('#state[data-state="open"]').waitFor()
    return page
  }
  const [ann, bob] = [await open('Ann'), await open('Bob')]
  const chat = async (from: Page, text: string): Promise<void> => {
    await from.getByLabel('Message', { exact: true }).fill(text)
    await from.getByRole('button', { name: 'Send' }).click()
    for (const page of [ann, bob]) await page.locator('#log li', { hasText: text }).waitFor()
  }

  for (let i = 1; i <= NUM_RELOADS; i++) {
    const reloading = daemon.request('POST', '/api/reload')
    await chat(ann, `Ann in the midst of reload ${i}`)
    assert.equal((await reloading).status, 200)
    await chat(bob, `Bob behind reload ${i}`)
  }

  assert.deepEqual(seen, ['Ann opened one', 'Bob opened one'])
  assert.equal(await ann.locator('#log li', { hasText: /reload \d/ }).count(), 2 * NUM_RELOADS)
})
