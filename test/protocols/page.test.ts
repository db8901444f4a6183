import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import { Client } from '../daemon-process.ts'
import { ExampleDaemon, program } from './example-daemon.ts'

const executablePath = program('chromium')

describe('the example page', { skip: executablePath === undefined ? 'chromium is not installed' : false }, () => {
  let example: ExampleDaemon
  let browser: Browser

  before(async () => {
    example = await ExampleDaemon.start()
    browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] })
  })

  after(async () => {
    await browser?.close()
    await example?.stop()
  })

  /** A tab of a user's own, connected. What the page complains of ends the test. */
  async function open(name: string): Promise<Page> {
    const context = await browser.newContext()
    context.setDefaultTimeout(30_000)
    const page = await context.newPage()
    page.on('pageerror', (error) => assert.fail(error))
    page.on('console', (message) => assert.notEqual(message.type(), 'error', message.text()))
    await page.addInitScript((value) => localStorage.setItem('name', value), name)
    await page.goto(`http://127.0.0.1:${example.port('web')}/`)
    await page.locator('#state[data-state="open"]').waitFor()
    return page
  }

  async function say(page: Page, text: string): Promise<void> {
    await page.getByLabel('Message', { exact: true }).fill(text)
    await page.getByRole('button', { name: 'Send' }).click()
  }

  test('shows what one tab says in the other, by name, and as one’s own in the first', async () => {
    const ann = await open('Ann')
    const bob = await open('Bob')

    await ann.locator('#log li.notice', { hasText: 'Bob came in' }).waitFor()
    await say(ann, 'hello')

    await bob.locator('#log li', { has: bob.locator('b', { hasText: 'Ann' }), hasText: 'hello' }).waitFor()
    await ann.locator('#log li.me', { hasText: 'hello' }).waitFor()
    assert.equal(await ann.locator('#log li', { hasText: 'hello' }).count(), 1)
  })

  test('shows what is typed into telnet', async (t) => {
    const page = await open('Cleo')
    const telnet = await Client.open({ host: '127.0.0.1', port: example.port('line') })
    t.after(() => telnet.socket.destroy())

    telnet.write('hello from a terminal\r\n')

    await page.locator('#log li', { hasText: 'hello from a terminal' }).waitFor()
    assert.equal(await telnet.until('\r\n'), 'hello from a terminal\r\n')
  })

  test('shows markup as text', async () => {
    const page = await open('Dan')
    const other = await open('Eve')

    await say(other, '<img src=x onerror="document.title=1"><b>bold</b>')

    await page.locator('#log li', { hasText: '<img src=x onerror="document.title=1"><b>bold</b>' }).waitFor()
    assert.equal(await page.locator('#log img').count(), 0)
    assert.equal(await page.title(), 'Polyport chat')
  })

  test('connects again by itself when the connection is cut', async () => {
    const page = await open('Fay')
    const [fd] = example.daemon.fdsOf('Fay')

    assert.ok(fd)
    // Some of them last a quarter of a second: who asks now and then may miss one.
    await page.evaluate(`
      window.states = new Promise((resolve) => {
        const seen = []
        const { dataset } = document.querySelector('#state')
        const note = () => {
          seen.push(dataset.state)
          if (dataset.state === 'open') resolve(seen)
        }
        new MutationObserver(note).observe(document.querySelector('#state'), { attributeFilter: ['data-state'] })
      })
      undefined`)
    example.daemon.close(fd)
    assert.deepEqual(await page.evaluate('states'), ['closed', 'connecting', 'open'])
    await say(page, 'back again')

    await page.locator('#log li.me', { hasText: 'back again' }).waitFor()
    assert.notEqual(example.daemon.fdsOf('Fay')[0], fd)
  })

  test('comes in under the new name when the name is changed', async () => {
    const page = await open('Gus')
    const other = await open('Hal')

    await page.getByLabel('Name').fill('Gustav')
    await page.getByLabel('Name').press('Tab')
    await other.locator('#log li.notice', { hasText: 'Gustav came in' }).waitFor()
    await other.locator('#log li.notice', { hasText: 'Gus has left' }).waitFor()

    assert.ok(example.daemon.isOnline('Gustav'))
  })
})
