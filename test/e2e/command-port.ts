import assert from 'node:assert/strict'
import { Client, type DaemonProcess } from '../daemon-process.ts'

/** A handler that does with the daemon what each line says, and answers with the result: a way into any worker. */
export const COMMAND_HANDLER = `
import { TcpHandler } from 'polyport'
export default class Command extends TcpHandler {
  async onReceive(connection, message) {
    const { member, args, table } = JSON.parse(message.toString())
    const target = table === undefined ? this.daemon : this.daemon.tables[table]
    let value
    try {
      if (member === 'slot') value = this.daemon.worker.slot
      else if (member === 'fd') value = connection.fd
      else if (member === 'count') value = target.count
      else if (member === 'entries') value = [...target.entries(...args)]
      else if (member === 'connections') value = [...this.daemon.connections(...args)]
      else if (member === 'counter') value = this.daemon.counter(args[0]).add(args[1])
      else if (member === 'burn') { for (let i = 0; i < args[2]; i++) this.daemon.tables[args[0]].incr(args[1], 'value'); value = 'done' }
      else value = target[member](...args)
    } catch (error) {
      value = { error: error.code ?? error.message }
    }
    connection.send(JSON.stringify({ value: value === undefined ? null : value }))
  }
}
`

/** A client of a port with that handler. */
export class Commander {
  readonly client: Client
  slot = -1

  private constructor(client: Client) {
    this.client = client
  }

  static async open(where: { host: string; port: number }): Promise<Commander> {
    const commander = new Commander(await Client.open(where))
    commander.slot = (await commander.call('slot')) as number
    return commander
  }

  /** One for each worker. */
  static async forEachWorker(daemon: DaemonProcess, port: string, numWorkers: number): Promise<Commander[]> {
    const where = await daemon.address(port)
    const bySlot = new Map<number, Commander>()
    for (let tries = 0; bySlot.size < numWorkers; tries++) {
      assert.ok(tries < 500, `a connection reached only the workers ${[...bySlot.keys()].join(', ')}`)
      const commander = await Commander.open(where)
      if (bySlot.has(commander.slot)) commander.client.socket.destroy()
      else bySlot.set(commander.slot, commander)
    }
    return [...bySlot.entries()].sort(([a], [b]) => a - b).map(([, commander]) => commander)
  }

  call(member: string, ...args: unknown[]): Promise<unknown> {
    return this.#ask({ member, args })
  }

  table(table: string, member: string, ...args: unknown[]): Promise<unknown> {
    return this.#ask({ table, member, args })
  }

  async #ask(request: object): Promise<unknown> {
    this.client.received = Buffer.alloc(0)
    this.client.write(`${JSON.stringify(request)}\r\n`)
    await this.client.until('\r\n')
    return (JSON.parse(this.client.received.toString()) as { value: unknown }).value
  }
}
