import { createFraming } from '../framing/create-framing.ts'
import { compressionStep } from '../http/compression.ts'
import { hookStep } from '../http/hooks.ts'
import { staticStep } from '../http/static-files.ts'
import type { Connections } from '../net/connections.ts'
import { HttpListener } from '../net/http-listener.ts'
import { HttpRequests, type RequestStep } from '../net/http-requests.ts'
import { Http2Sessions } from '../net/http2-sessions.ts'
import type { Listener } from '../net/listener.ts'
import type { Outbox } from '../net/outbox.ts'
import type { Port } from '../net/port.ts'
import { RawStreamListener } from '../net/raw-stream-listener.ts'
import { StreamListener } from '../net/stream-listener.ts'
import { type SecureListener, TlsListener } from '../net/tls-listener.ts'
import { UpgradeAuthorization } from '../net/upgrade-authorization.ts'
import { WebSocketUpgrade } from '../net/websocket-upgrade.ts'
import type { LoadedPort } from './loaded-port.ts'

export interface ListenerParts {
  readonly loaded: LoadedPort
  readonly port: Port
  /** The WebSocket path of an http port. */
  readonly upgradePort: Port | undefined
  readonly outbox: Outbox
  readonly connections: Connections
  readonly serverHeader: string | undefined
}

// What the config fills in for a tcp port without framing.
const DEFAULT_FRAMING = { type: 'eof', eof: '\r\n', keepEof: false, maxLength: 4 * 1024 * 1024 } as const

/** Makes the listener of a port's protocol. A udp port has none until its socket is there. */
export function createListener(parts: ListenerParts): Listener | undefined {
  const listener = LISTENERS[parts.port.protocol](parts)
  const { tls } = parts.loaded.config
  return tls === undefined || listener === undefined ? listener : new TlsListener({ inner: listener, tls })
}

const LISTENERS: Record<Port['protocol'], (parts: ListenerParts) => SecureListener | undefined> = {
  tcp: ({ loaded, port, outbox, connections }) =>
    new StreamListener({ port, framing: createFraming(loaded.config.framing ?? DEFAULT_FRAMING, loaded.framing), outbox, connections }),
  udp: () => undefined,
  stream: ({ port }) => new RawStreamListener(port),
  http: ({ loaded, port, upgradePort, outbox, connections, serverHeader }) => {
    const { websocket } = loaded.config
    const upgrade =
      upgradePort &&
      new WebSocketUpgrade({
        port: upgradePort,
        path: websocket?.path ?? '/',
        origins: websocket?.origins ?? loaded.config.origins,
        deflate: settingsOf(websocket?.compression),
        authorization: websocket?.authorize ? new UpgradeAuthorization(port) : undefined,
        outbox,
        connections,
        serverHeader,
      })
    const requests = new HttpRequests({ port, steps: stepsOf(loaded, port), serverHeader })
    const http2 = loaded.config.http2 ? new Http2Sessions({ port, requests }) : undefined
    return new HttpListener({ port, requests, http2, ...(upgrade && { upgrade }) })
  },
  websocket: ({ loaded, port, outbox, connections, serverHeader }) =>
    new HttpListener({
      port,
      requests: new HttpRequests({ port, serverHeader }),
      upgrade: new WebSocketUpgrade({
        port,
        origins: loaded.config.origins,
        deflate: settingsOf(loaded.config.compression),
        outbox,
        connections,
        serverHeader,
      }),
    }),
}

/** What stands before the handler of an http port, the outermost first. */
function stepsOf({ config, hooks }: LoadedPort, port: Port): RequestStep[] {
  const steps: RequestStep[] = []
  if (hooks !== undefined) steps.push(hookStep(port, hooks))
  const compression = settingsOf(config.compression)
  if (compression !== undefined) steps.push(compressionStep(compression))
  if (config.static !== undefined) steps.push(staticStep(config.static))
  return steps
}

/** The config has filled in what `true` stands for. */
function settingsOf<T extends object>(compression: boolean | T | undefined): T | undefined {
  return typeof compression === 'object' ? compression : undefined
}
