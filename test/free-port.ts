import { once } from 'node:events'
import { createServer } from 'node:net'

// Below those that the system gives out itself (net.ipv4.ip_local_port_range), to which it would give away one that was free a moment ago.
const FIRST = 20_000
const COUNT = 10_000

/** A TCP port of 127.0.0.1 that nobody has, for a config that has to say which. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer()
    const isFree = once(server, 'listening').then(
      () => true,
      () => false,
    )
    const port = FIRST + Math.floor(Math.random() * COUNT)
    server.listen(port, '127.0.0.1')
    if (!(await isFree)) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
