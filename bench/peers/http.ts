import http from 'node:http'

http
  .createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 6 })
    response.end('hello\n')
  })
  .listen(Number(process.env['PORT']), '127.0.0.1')
