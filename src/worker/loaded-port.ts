import type { PortConfig } from '../config/schema.ts'
import type { Framing } from '../contracts/framing.ts'
import type { Handler } from '../contracts/handlers.ts'
import type { RequestHooks } from '../http/hooks.ts'

/** A port with the code that its config names: loaded, checked and constructed, not yet started. */
export interface LoadedPort {
  readonly config: PortConfig
  readonly handler: Handler
  /** http with a `websocket` path. */
  readonly webSocketHandler?: Handler
  /** http with `hooks`: the exports of each module. */
  readonly hooks?: readonly RequestHooks[]
  /** tcp with custom framing. */
  readonly framing?: Framing
}
