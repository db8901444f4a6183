import http from 'node:http'
import app from '../handlers/express.ts'

http.createServer(app).listen(Number(process.env['PORT']), '127.0.0.1')
