import net from 'node:net'

/** What one would write first: split at the mark, a write per message. */
net
  .createServer((socket) => {
    let rest: Buffer = Buffer.alloc(0)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (let end = rest.indexOf('\r\n'); end !== -1; end = rest.indexOf('\r\n')) {
        socket.write(rest.subarray(0, end + 2))
        rest = rest.subarray(end + 2)
      }
    })
  })
  .listen(Number(process.env['PORT']), '127.0.0.1')
