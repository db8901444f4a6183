import dgram from 'node:dgram'

const socket = dgram.createSocket('udp4')
socket.on('message', (packet, from) => socket.send(packet, from.port, from.address))
socket.bind(Number(process.env['PORT']), '127.0.0.1')
