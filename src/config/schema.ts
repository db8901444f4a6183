import { z } from 'zod'
import { allow, deny, heartbeat, proxyProtocol, trustedProxies } from './admission-schema.ts'
import { compression, webSocketCompression } from './compression-schema.ts'
import { limits } from './limits-schema.ts'
import { eventsSchema, type TasksConfig, tasksSchema } from './task-schema.ts'
import { type TlsConfig, tls } from './tls-schema.ts'
import { lifecycleSchema, processSchema, timersSchema } from './work-schema.ts'

/**
 * The one source of the config's types, validation and JSON Schema. A description here is the text that an editor shows
 * and that `docs/config.md` prints. Cross-field rules are in `rules.ts`.
 */

const name = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, 'expected 1 to 64 letters, digits, "_", "." or "-", not starting with "." or "-"')
const tableName = name.refine((given) => given !== 'transaction', '`daemon.tables.transaction` is a method, expected another name')
const account = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?$/, 'expected a name or a number')
const portNumber = z.int().min(0).max(65535)
const MIB = 1024 * 1024

const maxLength = z
  .int()
  .min(1)
  .max(1024 * MIB)
  .default(4 * MIB)
  .describe('The longest message, in bytes. A longer one closes its connection with reason `frame_too_long`.')

/** Exported for its defaults: a tcp port without framing has them. */
export const eofFraming = z.strictObject({
  type: z.literal('eof').describe('Messages end with a mark.'),
  eof: z
    .string()
    .min(1)
    .default('\r\n')
    .describe('The end mark, 1 to 8 bytes. The escapes `\\r`, `\\n`, `\\t`, `\\0`, `\\\\` and `\\xHH` are understood, also written out (`"\\\\x00"`).'),
  keepEof: z.boolean().default(false).describe('Hand the message to the handler with its end mark.'),
  maxLength,
})
const lengthFraming = z.strictObject({
  type: z.literal('length').describe('Messages carry their length.'),
  field: z.enum(['u8', 'u16be', 'u16le', 'u32be', 'u32le']).default('u32be').describe('The form of the length field.'),
  offset: z.int().min(0).max(1024).default(0).describe('Where in the frame the length field starts.'),
  bodyOffset: z
    .int()
    .min(0)
    .max(1024)
    .optional()
    .describe(
      'Where in the frame the counted bytes start: the frame is `bodyOffset` + length bytes long. The default is right behind the length field; 0 when the length counts the whole frame.',
    ),
  maxLength,
})
const rawFraming = z.strictObject({ type: z.literal('raw').describe('Bytes as they arrive, however they are cut.') })
const customFraming = z.strictObject({
  type: z.literal('custom').describe('A module of yours cuts.'),
  module: z.string().min(1).describe('A module whose default export is a class with `frameLength`, `decode` and `encode`.'),
  maxLength,
})
const framing = z
  .discriminatedUnion('type', [eofFraming, lengthFraming, rawFraming, customFraming])
  .describe('tcp: how the byte stream is cut into messages. The default is eof with `\\r\\n`.')

const options = z.record(z.string(), z.unknown()).default({}).describe('Anything: handed to the handler as `this.options`.')
const handler = z
  .string()
  .min(1)
  .describe(
    'A module whose default export is a handler class, or on an http port also an app: a .ts, .js or .mjs file, relative to the config file, or the name of a package.',
  )

const origins = z
  .array(
    z.string().regex(/^(null|[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#@\s]+)$/, 'expected an origin as browsers send it, such as "https://example.com", or "null"'),
  )
  .min(1)
  .describe(
    'websocket: the pages that may open one, by the `Origin` that browsers send; others get 403. All when absent. A client that sends none is no browser.',
  )

const websocketPath = z
  .strictObject({
    path: z
      .string()
      .regex(/^\//, 'expected a path that starts with "/"')
      .default('/')
      .describe('The path that upgrades to WebSocket; on another one a request to upgrade is answered as a plain GET.'),
    handler,
    options,
    limits,
    origins: origins.optional(),
    compression: webSocketCompression.optional(),
    authorize: z
      .boolean()
      .default(false)
      .describe('Ask the handler of the http port first: the upgrade request runs through it as a GET, and what it refuses is refused with its answer.'),
  })
  .describe('http: a WebSocket handler on one path of this port.')

const port = z.strictObject({
  name: name.optional().describe('Unique. The default is protocol-port.'),
  protocol: z
    .enum(['tcp', 'udp', 'http', 'websocket', 'stream'])
    .describe('What is spoken. `stream` hands the raw duplex to the handler, for another library to speak its protocol on.'),
  host: z.string().min(1).default('127.0.0.1').describe('An IPv4 or IPv6 address, or a name.'),
  port: portNumber.optional().describe('0 lets the system choose. Needed unless `path` is there.'),
  path: z
    .string()
    .min(1)
    .optional()
    .describe('A unix socket instead of host and port: a stream socket, for udp a datagram socket (optional package unix-dgram).'),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'expected an octal mode such as "0660"')
    .optional()
    .describe('The mode of the unix socket; what the umask leaves when absent.'),
  owner: z
    .string()
    .regex(/^[^:\s]*(:[^:\s]+)?$/, 'expected "user", "user:group" or ":group"')
    .optional()
    .describe('The owner of the unix socket: user:group, by name or number.'),
  handler,
  options,
  enabled: z.boolean().default(true).describe('Whether the port is opened; it is checked all the same.'),
  framing: framing.optional(),
  limits,
  heartbeat,
  allow,
  deny,
  proxyProtocol,
  trustedProxies,
  tls: tls.optional(),
  http2: z.boolean().default(false).describe('http: speak HTTP/2 with clients that can. Needs `tls`; HTTP/1.1 and WebSocket go on as before.'),
  static: z.string().min(1).optional().describe('http: a folder whose files are served before the handler is asked.'),
  compression: compression.optional(),
  hooks: z
    .array(z.string().min(1))
    .optional()
    .describe('http: modules that export any of `onRequestReceived`, `onResponseGenerated` and `onRequestFinished`, called around every request.'),
  origins: origins.optional(),
  websocket: websocketPath.optional(),
})

const column = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('int').describe('A signed whole number.'),
    size: z
      .union([z.literal(1), z.literal(2), z.literal(4), z.literal(8)])
      .default(8)
      .describe('Bytes: 1, 2, 4 or 8. With 8, values are safe integers.'),
  }),
  z.strictObject({ type: z.literal('float').describe('A double.') }),
  z.strictObject({
    type: z.literal('string').describe('Text. Longer text throws, and is never cut.'),
    size: z.int().min(1).max(65535).describe('Bytes of UTF-8 at most.'),
  }),
])

const table = z.strictObject({
  size: z.int().min(1).max(100_000_000).describe('The number of rows that fit.'),
  columns: z
    .record(name, column)
    .refine((columns) => Object.keys(columns).length > 0, 'expected at least one column')
    .describe('What a row holds: columns by name.'),
  persist: z.boolean().default(false).describe('Keep the rows on disk, in `dataDir`, over restarts.'),
})

const admin = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('An IPv4 or IPv6 address, or a name. One that is not loopback needs `token`.'),
  port: portNumber.optional().describe('0 lets the system choose. Needed unless `path` is there.'),
  path: z.string().min(1).optional().describe('A unix socket (mode 0600) instead of host and port.'),
  token: z.string().min(16).optional().describe('Asked for as `Authorization: Bearer …`. 16 characters at least. Needed to listen on more than loopback.'),
})

const watch = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Reload when a file is saved. `polyport start --watch` does, too.'),
    paths: z
      .array(z.string().min(1))
      .min(1)
      .default(['.'])
      .describe('Files and folders, relative to the config file. The folders of the modules that the config names are watched, too.'),
    ignore: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Files and folders below them that do not count, relative to the config file. node_modules, names that begin with a dot, static folders, `runtimeDir`, the data folders and the file that stdout is never do.',
      ),
    debounceMs: z.int().min(0).max(60_000).default(100).describe('How long to wait for further files after one was saved, in milliseconds.'),
  })
  .prefault({})
  .describe('Reload on save, for development.')

export const ConfigSchema = z.strictObject({
  $schema: z.string().optional().describe('`./config.schema.json` makes editors complete and check the file. Not read.'),
  name: name.default('polyport').describe('Shown in process titles, logs and status.'),
  workers: z
    .union([z.literal('auto'), z.int().min(1).max(256)])
    .default(1)
    .describe('Worker processes: a number, or `"auto"` for one per core.'),
  dispatch: z
    .enum(['kernel', 'round-robin', 'ip-hash'])
    .default('kernel')
    .describe(
      'Who gets a new connection: `kernel`, the worker that accepts it first; `round-robin`, each in turn; `ip-hash`, always the same worker for a client address.',
    ),
  user: account
    .optional()
    .describe('Started as root, the daemon runs handlers, and all processes but the master, as this user. The master stays root, to open ports below 1024.'),
  group: account.optional().describe("Started as root: the group of these processes. The default is the user's own."),
  runtimeDir: z.string().min(1).default('./run').describe('Where the pid file and the control socket are.'),
  dataDir: z.string().min(1).default('./data').describe('Where persistent tables are.'),
  maxWaitSeconds: z.number().min(0).max(86400).default(30).describe('How long a stop waits for what is still being done.'),
  spreadSeconds: z
    .number()
    .min(0)
    .max(86400)
    .optional()
    .describe(
      'Connections are closed spread over this time, so that their clients do not all come back at once. In a reload those that cannot move to a new worker: over the last part of `maxWaitSeconds`, 10 s of it when absent. In a stop all: over its first part, at once when absent.',
    ),
  startSeconds: z.number().min(1).max(3600).default(30).describe('How long a worker may take to load its handlers, and then to open its ports.'),
  stuckSeconds: z
    .number()
    .min(7)
    .max(86400)
    .default(30)
    .describe('A worker, or the timer process, that has not let its event loop run for this long is killed, and another started.'),
  maxRequests: z
    .int()
    .min(1)
    .optional()
    .describe('A worker that has had this many messages and requests is replaced by a new one, which takes over its connections. Never when absent.'),
  maxMemory: z
    .int()
    .min(64 * MIB)
    .optional()
    .describe('A worker whose resident memory is over this many bytes is replaced by a new one, which takes over its connections. Never when absent.'),
  serverHeader: z
    .string()
    .regex(/^[\x20-\x7e]*$/, 'expected printable ASCII')
    .optional()
    .describe('http: the value of the `Server` response header; none when absent.'),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('info')
        .describe('What is logged: this level and those behind it. Connections are logged at debug.'),
      format: z.enum(['auto', 'json', 'pretty']).default('auto').describe('`auto`: pretty on a terminal, JSON elsewhere.'),
    })
    .prefault({})
    .describe('What is logged, and how.'),
  admin: admin.optional().describe('The admin port: /metrics, /healthz, /readyz and /api/status. Closed when absent.'),
  watch,
  ports: z.array(port).min(1).describe('The ports.'),
  tables: z.record(tableName, table).default({}).describe('Shared tables, by name.'),
  tasks: tasksSchema.optional(),
  events: eventsSchema.optional(),
  timers: timersSchema.optional(),
  processes: z.record(name, processSchema).default({}).describe('Custom processes, by name.'),
  lifecycle: lifecycleSchema,
})

/** The config as written. */
export type ConfigInput = z.input<typeof ConfigSchema>

type Parsed = z.output<typeof ConfigSchema>
type ParsedPort = Parsed['ports'][number]

export type FramingConfig = z.output<typeof framing>
export type ColumnConfig = z.output<typeof column>
export type TableConfig = z.output<typeof table>
export type WatchConfig = z.output<typeof watch>
export type AdminConfig = z.output<typeof admin>
export type WebSocketPathConfig = z.output<typeof websocketPath>
export type Protocol = ParsedPort['protocol']

/** A port with everything resolved: name given, files absolute, framing chosen. */
export type PortConfig = Omit<ParsedPort, 'name' | 'framing' | 'tls'> & {
  name: string
  /** Present on tcp ports. */
  framing?: FramingConfig
  /** All files read. */
  tls?: TlsConfig
}

/** The config as the daemon uses it: validated, defaults filled in, paths absolute, `workers` a number. Plain data. */
export type Config = Omit<Parsed, 'ports' | 'workers' | 'tasks' | '$schema'> & {
  /** The absolute path of the config file, and its folder. */
  file: string
  dir: string
  workers: number
  /** Only those that are enabled. */
  ports: PortConfig[]
  /** Present where there are tasks or events. */
  tasks?: TasksConfig
  /** The place in the file of each of `ports`, for messages. */
  portIndexes?: number[]
}
