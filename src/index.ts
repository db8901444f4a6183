export type { ConfigInput } from './config/schema.ts'
export type { CloseFrame } from './contracts/close-frame.ts'
export type { CloseReason } from './contracts/close-reason.ts'
export type { Connection, ConnectionInfo, Message } from './contracts/connection.ts'
export type { Processes, ProcessLink } from './contracts/custom-process.ts'
export { CustomProcess } from './contracts/custom-process.ts'
export type { Daemon, DaemonStats, PortInfo } from './contracts/daemon.ts'
export type { EventListener, Events } from './contracts/event.ts'
export { AsyncEvent } from './contracts/event.ts'
export type { Framing } from './contracts/framing.ts'
export type { StreamInfo, UpgradeAnswer } from './contracts/handlers.ts'
export { HttpHandler, StreamHandler, TcpHandler, UdpHandler, WebSocketHandler } from './contracts/handlers.ts'
export type { LifecycleHooks, ProcessDeath, ProcessInfo } from './contracts/lifecycle.ts'
export type { Logger } from './contracts/logger.ts'
export type { Peer } from './contracts/peer.ts'
export type { Sender } from './contracts/sender.ts'
export type { ColumnValue, Counter, Row, Table, Tables } from './contracts/table.ts'
export type { DeliverOptions, Tasks } from './contracts/task.ts'
export { Task } from './contracts/task.ts'
export { Timer } from './contracts/timer.ts'
export type { TlsInfo } from './contracts/tls-info.ts'
export type { Workers } from './contracts/workers.ts'
export { createDaemon } from './create-daemon.ts'
export type { Problem } from './errors.ts'
export {
  AlreadyRunningError,
  BindError,
  ConfigError,
  FrameError,
  NotInDaemonError,
  NotRunningError,
  QueueClosedError,
  QueueFullError,
  ReloadError,
  RequestTimeoutError,
  StartError,
  TableFullError,
  TableValueError,
  TaskFailedError,
  TaskInputError,
  TaskTimeoutError,
  UnknownPortError,
  UnreachableError,
} from './errors.ts'
export { clientAddress } from './net/client-address.ts'
export { daemon } from './worker/current-daemon.ts'
