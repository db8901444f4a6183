import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

interface Profile {
  readonly nodes: { readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number } }[]
  readonly samples: number[]
  readonly timeDeltas: number[]
}

/** Prints the functions in which the busiest process of a folder of CPU profiles spent its time, by their own share. */
export function printProfile(folder: string, lines = 20): void {
  const shares = readdirSync(folder)
    .filter((file) => file.endsWith('.cpuprofile'))
    .map((file) => selfTimes(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile))
    .toSorted((a, b) => busy(b) - busy(a))[0]
  if (shares === undefined) return
  const total = busy(shares)
  const sorted = [...shares].filter(([name]) => name !== '(idle)').toSorted(([, a], [, b]) => b - a)
  for (const [name, time] of sorted.slice(0, lines)) process.stdout.write(`  ${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}\n`)
}

function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || '(anonymous)'} ${url && `${basename(url)}:${lineNumber + 1}`}`.trim(),
    ]),
  )
  const times = new Map<string, number>()
  samples.forEach((id, i) => {
    const name = names.get(id) ?? ''
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0))
  })
  return times
}

function busy(times: Map<string, number>): number {
  return [...times].reduce((sum, [name, time]) => (name === '(idle)' ? sum : sum + time), 0)
}
