import { family } from './families.ts'
import type { HistogramReport } from './histogram.ts'
import { histogramSamples } from './histogram-samples.ts'
import type { MetricJson, Sample } from './metric-json.ts'
import type { PortReport } from './port-counters.ts'

/** The metrics of all ports. */
export function portMetrics(ports: readonly PortReport[]): MetricJson[] {
  return [
    perPort('polyport_connections', (port) => port.connections),
    perPort('polyport_connections_accepted_total', (port) => port.accepted),
    perReason('polyport_connections_refused_total', (port) => port.refused),
    perReason('polyport_connections_closed_total', (port) => port.closed),
    perPort('polyport_accept_rests_total', (port) => port.rests),
    perPort('polyport_messages_received_total', (port) => port.messagesIn),
    perPort('polyport_messages_sent_total', (port) => port.messagesOut),
    perPort('polyport_bytes_received_total', (port) => port.bytesIn),
    perPort('polyport_bytes_sent_total', (port) => port.bytesOut),
    perPort('polyport_messages_dropped_total', (port) => port.dropped),
    perPort('polyport_handler_errors_total', (port) => port.errors),
    durations('polyport_handler_duration_seconds', (port) => port.handlerSeconds),
    family('polyport_requests_refused_total', ports.flatMap(refusalSamples)),
    family('polyport_http_requests_total', ports.flatMap(requestSamples)),
    durations('polyport_http_request_duration_seconds', (port) => port.requestSeconds),
  ]

  function perPort(name: string, value: (port: PortReport) => number): MetricJson {
    return family(
      name,
      ports.map((port) => ({ value: value(port), labels: { port: port.name } })),
    )
  }

  function perReason(name: string, counts: (port: PortReport) => Readonly<Record<string, number>>): MetricJson {
    return family(
      name,
      ports.flatMap((port) => Object.entries(counts(port)).map(([reason, value]) => ({ value, labels: { port: port.name, reason } }))),
    )
  }

  function durations(name: string, histogram: (port: PortReport) => HistogramReport | undefined): MetricJson {
    return family(
      name,
      ports.flatMap((port) => {
        const report = histogram(port)
        return report === undefined ? [] : histogramSamples(name, report, { port: port.name })
      }),
    )
  }
}

function requestSamples(port: PortReport): Sample[] {
  return Object.entries(port.requests ?? {}).map(([key, value]) => {
    const [method = '', status = ''] = key.split(' ')
    return { value, labels: { port: port.name, method, status } }
  })
}

function refusalSamples(port: PortReport): Sample[] {
  return Object.entries(port.requestsRefused ?? {}).map(([key, value]) => {
    const [status = '', reason = ''] = key.split(' ')
    return { value, labels: { port: port.name, reason, status } }
  })
}
