import { join } from 'node:path'
import { AdminServer } from '../admin/admin-server.ts'
import type { AdminParts } from '../admin/routes.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'

/** Where the master can be asked: the control socket of the command line, and the admin port of the config. */
export class AdminPorts {
  readonly #parts: AdminParts & { readonly log: Logger }
  #control: AdminServer | undefined
  #admin: AdminServer | undefined

  constructor(parts: AdminParts & { readonly log: Logger }) {
    this.#parts = parts
  }

  /** Of the admin port. */
  get address(): string | undefined {
    return this.#admin?.address
  }

  /** @throws BindError */
  async openControl(runtimeDir: string): Promise<void> {
    this.#control = new AdminServer({ ...this.#parts, trusted: true })
    await this.#control.start({ path: join(runtimeDir, 'polyport.sock') })
  }

  /** @throws BindError */
  async openAdmin({ admin }: Config): Promise<void> {
    if (admin === undefined) return
    this.#admin = new AdminServer({ ...this.#parts, ...(admin.token !== undefined && { token: admin.token }) })
    await this.#admin.start(admin.path === undefined ? { host: admin.host, port: admin.port ?? 0 } : { path: admin.path })
  }

  async stop(): Promise<void> {
    await this.#admin?.stop()
    await this.#control?.stop()
  }
}
