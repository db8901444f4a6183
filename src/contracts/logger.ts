/** One method call, one log line: `log.info({ fd: 7 }, 'said hello')` or `log.info('said hello')`. A pino logger. */
export interface Logger {
  trace: LogMethod
  debug: LogMethod
  info: LogMethod
  warn: LogMethod
  error: LogMethod
  fatal: LogMethod
  /** Can be set: `debug`, say. */
  level: string
  isLevelEnabled(level: string): boolean
  child(bindings: Record<string, unknown>): Logger
}

export interface LogMethod {
  (fields: object, message?: string): void
  (message: string): void
}
