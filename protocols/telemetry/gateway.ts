import { appendFile, mkdir } from 'node:fs/promises'
import { type Row, Task, Timer } from 'polyport'

/** Tells all screens once a second how things are. */
export class Summary extends Timer {
  override interval = 1000

  override run(): void {
    const rows = Array.from(this.daemon.tables['last']?.entries() ?? [], ([, row]) => Number(row['value']))
    const mean = rows.length === 0 ? null : rows.reduce((sum, value) => sum + value, 0) / rows.length
    this.daemon.publish('screens', JSON.stringify({ devices: rows.length, readings: this.daemon.counter('readings').value, mean }))
  }
}

/** Hands what is in the inbox of all workers to a task every second, and takes it out when the task is on disk. */
export class Collect extends Timer {
  override interval = 1000

  override async run(): Promise<void> {
    const batch = [...(this.daemon.tables['inbox']?.entries() ?? [])]
    if (batch.length === 0) return
    await this.daemon.tasks.deliver(new Archive(batch), { tries: 5 })
    this.daemon.tables.transaction(() => {
      for (const [key] of batch) this.daemon.tables['inbox']?.del(key)
    })
  }
}

/** Appends a batch to the archive. At least once: who reads it knows a reading by its number. */
export class Archive extends Task<[string, Row][]> {
  override async handle(batch: [string, Row][]): Promise<void> {
    const lines = batch.map(([number, { device, value, at }]) => `${Number(number)},${device},${value},${at}\n`)
    await mkdir(new URL('../data/', import.meta.url), { recursive: true })
    await appendFile(new URL('../data/readings.csv', import.meta.url), lines.join(''))
  }
}
