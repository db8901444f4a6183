/**
 * What `"framing": { "type": "custom", "module": … }` loads: a default-exported class, made once per port and worker.
 * It holds no bytes of its own; the reader that calls it owns the buffer.
 */
export interface Framing {
  /**
   * Looks for the first whole frame.
   * @param buffer what has been received and not yet framed, starting with the frame
   * @param scanned how many of these bytes an earlier call has already seen without finding an end; 0 for a new frame
   * @returns the length of the frame in bytes, all of it, or 0 when more bytes are needed
   * @throws anything: the connection is closed with reason `error`
   */
  frameLength(buffer: Buffer, scanned: number): number
  /** Turns a whole frame into the message that `onReceive` gets. Without this method the frame itself is the message. */
  decode?(frame: Buffer): Buffer
  /** Turns a message into the bytes that leave. Without this method they are the message itself. */
  encode?(message: Buffer): Uint8Array
}
