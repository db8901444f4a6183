import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT, run } from '../cli/run-cli.ts'
import { DaemonProcess } from '../daemon-process.ts'

const TOKEN = 'marked-secret-token-of-the-admin-port'
const PASSWORD = 'marked-secret-password-of-a-handler'
const KEY = readFileSync(join(ROOT, 'test/cli/fixtures/loopback-key.pem'), 'utf8')
const CERTIFICATE = readFileSync(join(ROOT, 'test/cli/fixtures/loopback-cert.pem'), 'utf8')

const FAILING = `
import { HttpHandler } from 'polyport'
export default class Failing extends HttpHandler {
  onRequest(request, response) { this.log.info({ port: this.port }, 'Asked'); if (request.url === '/throw') throw new Error('on purpose'); response.end() }
}
`

function get(url: string, headers: http.OutgoingHttpHeaders = {}): Promise<string> {
  const client = url.startsWith('https') ? https : http
  return new Promise((resolve, reject) => {
    client
      .get(url, { headers, rejectUnauthorized: false, agent: false } as https.RequestOptions, async (response) => {
        let text = `${response.statusCode} ${JSON.stringify(response.headers)} `
        for await (const chunk of response) text += chunk
        resolve(text)
      })
      .on('error', reject)
  })
}

/** The arguments of every process below this one, as ps shows them. */
function argumentsBelow(pid: number): string {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean))
  return [readFileSync(`/proc/${pid}/cmdline`, 'utf8'), ...children.map((child) => argumentsBelow(Number(child)))].join('\n')
}

test('secrets of the config are in no log line, metric, status, answer or process title', async (t) => {
  const ports = [
    { name: 'web', protocol: 'http', port: 0, handler: './failing.js', tls: { cert: CERTIFICATE, key: KEY }, options: { password: '${PASSWORD}' } },
  ]
  const config = { workers: 2, log: { level: 'trace' }, admin: { port: 0, token: '${TOKEN}' }, ports }
  const daemon = await DaemonProcess.start(t, config, { files: { 'failing.js': FAILING }, env: { TOKEN, PASSWORD } })
  const { port } = await daemon.address('web')
  const { admin } = JSON.parse((await daemon.request('GET', '/api/status')).body) as { admin?: string }
  const seen: string[] = [admin ?? '']
  seen.push(await get(`https://127.0.0.1:${port}/`), await get(`https://127.0.0.1:${port}/throw`, { authorization: `Bearer ${PASSWORD}` }))
  for (const path of ['/api/status', '/metrics', '/healthz', '/nothing']) seen.push((await daemon.request('GET', path)).body)
  seen.push(argumentsBelow(daemon.pid))
  const cwd = daemon.dir
  for (const verb of [['status'], ['status', '--json'], ['info'], ['check']]) {
    const { stdout, stderr } = await run(t, [...verb, '-c', join(cwd, 'config.json')], { env: { TOKEN, PASSWORD } })
    seen.push(stdout, stderr)
  }
  // A mistake beside them, and in them.
  writeFileSync(
    join(cwd, 'config.json'),
    JSON.stringify({ runtimeDir: './run', ...config, workers: '${PASSWORD}', admin: { port: 0, token: 5, tokn: '${TOKEN}' } }),
  )
  seen.push((await daemon.request('POST', '/api/reload')).body)
  const { stdout, stderr, code } = await run(t, ['check', '-c', join(cwd, 'config.json')], { env: { TOKEN, PASSWORD } })
  assert.equal(code, 2)
  seen.push(stdout, stderr)
  assert.equal(await daemon.stop(), 0)
  seen.push(...daemon.lines)

  const key = KEY.split('\n').filter((line) => line.length === 64)
  assert.ok(key.length > 1 && daemon.lines.length > 5)
  for (const secret of [TOKEN, PASSWORD, ...key]) {
    assert.deepEqual(
      seen.filter((text) => text.includes(secret)),
      [],
    )
  }
})
