import type { Protocol } from '../config/schema.ts'
import { type HistogramReport, SECONDS_BUCKETS } from './histogram.ts'
import type { PortReport } from './port-counters.ts'

/** A port that has counted nothing yet: every series is there from the start. */
export function emptyPort(port: { readonly name: string; readonly protocol: Protocol }): PortReport {
  const http = port.protocol === 'http'
  const hasUpgrades = http || port.protocol === 'websocket'
  return {
    name: port.name,
    protocol: port.protocol,
    connections: 0,
    accepted: 0,
    refused: { max_connections: 0, max_connections_per_ip: 0, rate: 0, denied: 0, origin: 0, proxy_header: 0, tls: 0, error: 0 },
    closed: { client: 0, server: 0, shutdown: 0, heartbeat: 0, overflow: 0, frame_too_long: 0, rate: 0, denied: 0, error: 0, ...(hasUpgrades && TURNED_AWAY) },
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    dropped: 0,
    rests: 0,
    errors: 0,
    handlerSeconds: EMPTY_HISTOGRAM,
    ...(hasUpgrades && { requestsRefused: NO_REQUESTS_REFUSED }),
    ...(http && { requests: { 'GET 2xx': 0, 'GET 3xx': 0, 'GET 4xx': 0, 'GET 5xx': 0 }, requestSeconds: EMPTY_HISTOGRAM }),
  }
}

/** The same port in two processes, as one. */
export function addPorts(a: PortReport, b: PortReport): PortReport {
  return {
    name: a.name,
    protocol: a.protocol,
    connections: a.connections + b.connections,
    accepted: a.accepted + b.accepted,
    refused: addRecords(a.refused, b.refused),
    closed: addRecords(a.closed, b.closed),
    messagesIn: a.messagesIn + b.messagesIn,
    messagesOut: a.messagesOut + b.messagesOut,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    dropped: a.dropped + b.dropped,
    rests: a.rests + b.rests,
    errors: a.errors + b.errors,
    handlerSeconds: addHistograms(a.handlerSeconds, b.handlerSeconds),
    ...(a.requestsRefused !== undefined && { requestsRefused: addRecords(a.requestsRefused, b.requestsRefused ?? {}) }),
    ...(a.requests !== undefined && { requests: addRecords(a.requests, b.requests ?? {}) }),
    ...(a.requestSeconds !== undefined && { requestSeconds: addHistograms(a.requestSeconds, b.requestSeconds ?? EMPTY_HISTOGRAM) }),
  }
}

/** What a client that asks for a WebSocket is told on a connection that is open already. */
const TURNED_AWAY: Readonly<Record<string, number>> = { max_connections: 0, max_connections_per_ip: 0, origin: 0 }

const NO_REQUESTS_REFUSED: Readonly<Record<string, number>> = {
  '400 error': 0,
  '408 heartbeat': 0,
  '413 frame_too_long': 0,
  '414 frame_too_long': 0,
  '417 error': 0,
  '426 error': 0,
  '431 frame_too_long': 0,
  '501 denied': 0,
}

const EMPTY_HISTOGRAM: HistogramReport = { buckets: new Array<number>(SECONDS_BUCKETS.length + 1).fill(0), sum: 0 }

function addHistograms(a: HistogramReport, b: HistogramReport): HistogramReport {
  return { buckets: a.buckets.map((count, i) => count + (b.buckets[i] ?? 0)), sum: a.sum + b.sum }
}

function addRecords(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const sum = { ...a }
  for (const [key, value] of Object.entries(b)) sum[key] = (sum[key] ?? 0) + value
  return sum
}
