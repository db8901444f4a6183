import { Worker } from 'bullmq'
import { createClient } from 'redis'

// Its quickest: jobs overlap with their way to Redis and back.
const CONCURRENCY = 100

const client = await createClient({ socket: { path: process.env['REDIS_PATH'] ?? '', tls: false } }).connect()
const worker = new Worker('bench', async () => {}, { connection: client, concurrency: CONCURRENCY, removeOnComplete: { count: 0 } })
await worker.waitUntilReady()
process.send?.('ready')
