import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { pages, ROOT } from './blocks.ts'

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(file: string): string[] {
  const text = read(file).replace(/^```[\s\S]*?^```/gm, '')
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    (title ?? '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replace(/ /g, '-'),
  )
}

describe('links', () => {
  for (const page of pages()) {
    test(`every link of ${page} leads to a file, and to a heading of it`, () => {
      const text = read(page).replace(/^ *```[\s\S]*?^ *```/gm, '')
      const broken: string[] = []
      for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? page : join(dirname(page), path)
        if (!existsSync(join(ROOT, target))) broken.push(link)
        else if (anchor !== undefined && !anchors(target).includes(anchor)) broken.push(link)
      }

      assert.deepEqual(broken, [])
    })
  }
})
