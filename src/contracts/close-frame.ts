/** What a WebSocket client is told when its connection is closed. */
export interface CloseFrame {
  /** 1000, or 3000 to 4999: RFC 6455 section 7.4.2. @default 1000 */
  readonly code?: number
  /** At most 123 bytes of UTF-8. */
  readonly reason?: string
}
