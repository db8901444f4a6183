import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

/** One line of the table. */
export interface Row {
  readonly case: string
  readonly unit: string
  readonly ours: number
  readonly peer?: number
  readonly ratio?: number
  readonly target: string
  readonly isMet: boolean
  /** What makes the figure doubtful. */
  readonly notes: readonly string[]
  /** The ratio of each round, and other figures of interest. */
  readonly details?: Record<string, unknown>
}

const COLUMNS = [45, 10, 10, 18, 8, 10] as const
const RESULTS = join(import.meta.dirname, 'results')

/** The table, printed as it grows, and kept as JSON. */
export class Report {
  readonly #rows: Row[] = []

  constructor() {
    print(['case', 'ours', 'peer', 'unit', 'ratio', 'target', ''])
  }

  add(row: Row): void {
    this.#rows.push(row)
    print([row.case, figure(row.ours), figure(row.peer), row.unit, figure(row.ratio), row.target, [row.isMet ? 'ok' : 'MISSED', ...row.notes].join('; ')])
  }

  /** Writes bench/results/latest.json. Returns whether every target was met. */
  save(options: Record<string, unknown>): boolean {
    mkdirSync(RESULTS, { recursive: true })
    const machine = { node: process.version, platform: process.platform, cores: cpus().length, cpu: cpus()[0]?.model }
    writeFileSync(join(RESULTS, 'latest.json'), `${JSON.stringify({ date: new Date().toISOString(), ...machine, options, rows: this.#rows }, null, 2)}\n`)
    return this.#rows.every((row) => row.isMet)
  }
}

function print(cells: readonly string[]): void {
  process.stdout.write(`${cells.map((cell, i) => (i === 1 || i === 2 ? cell.padStart(COLUMNS[i]) : cell.padEnd(COLUMNS[i] ?? 0))).join(' ')}\n`)
}

function figure(value: number | undefined): string {
  if (value === undefined) return ''
  return value >= 1000 ? String(Math.round(value)) : value.toFixed(2)
}
