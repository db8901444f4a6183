import type { MetricJson } from './metric-json.ts'

interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
}

/** Every metric of Polyport's own, in the order of the page. `docs/metrics.md` lists the same; a test holds both together. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  polyport_info: { type: 'gauge', help: 'Versions of Polyport, Node.js and the application; always 1.' },
  polyport_start_time_seconds: { type: 'gauge', help: 'When the daemon started, in seconds since 1970.' },
  polyport_connections: { type: 'gauge', help: 'Open connections.' },
  polyport_connections_accepted_total: { type: 'counter', help: 'Connections accepted.' },
  polyport_connections_refused_total: { type: 'counter', help: 'Connections refused, by reason.' },
  polyport_connections_closed_total: { type: 'counter', help: 'Connections that ended, by reason.' },
  polyport_accept_rests_total: { type: 'counter', help: 'How often accepting rested for 100 ms as file descriptors ran out.' },
  polyport_messages_received_total: { type: 'counter', help: 'Messages, datagrams or requests received.' },
  polyport_messages_sent_total: { type: 'counter', help: 'Messages, datagrams or responses sent.' },
  polyport_bytes_received_total: { type: 'counter', help: 'Bytes received, framing included.' },
  polyport_bytes_sent_total: { type: 'counter', help: 'Bytes sent, framing included.' },
  polyport_messages_dropped_total: {
    type: 'counter',
    help: 'Messages that were not sent because a send buffer was full, and datagrams that came while too many waited for the handler.',
  },
  polyport_handler_errors_total: { type: 'counter', help: 'Throws and rejections of the handler.' },
  polyport_handler_duration_seconds: { type: 'histogram', help: 'Time in the message callback of the handler, promises included.' },
  polyport_requests_refused_total: { type: 'counter', help: 'HTTP requests refused as they break the protocol or a limit, by reason and status.' },
  polyport_http_requests_total: { type: 'counter', help: 'HTTP requests, by method and class of status.' },
  polyport_http_request_duration_seconds: { type: 'histogram', help: 'Time from the head of a request to the end of its response.' },
  polyport_tls_certificate_expiry_seconds: { type: 'gauge', help: 'Time until a certificate of a port expires; negative once it has.' },
  polyport_users: { type: 'gauge', help: 'Users that have a connection.' },
  polyport_groups: { type: 'gauge', help: 'Groups that have a member.' },
  polyport_table_rows: { type: 'gauge', help: 'Rows in a table.' },
  polyport_table_size_rows: { type: 'gauge', help: 'Rows that fit a table.' },
  polyport_worker_up: { type: 'gauge', help: 'Whether the worker of a slot is ready.' },
  polyport_worker_restarts_total: { type: 'counter', help: 'How often the worker of a slot was started again after it died.' },
  polyport_worker_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of a worker.' },
  polyport_worker_heap_used_bytes: { type: 'gauge', help: 'JavaScript heap in use in a worker.' },
  polyport_worker_cpu_seconds_total: { type: 'counter', help: 'User and system CPU time of the workers of a slot.' },
  polyport_worker_eventloop_lag_seconds: { type: 'gauge', help: 'Longest delay of the event loop of a worker since the last scrape.' },
  polyport_worker_eventloop_lag_mean_seconds: { type: 'gauge', help: 'Mean delay of the event loop of a worker in its last report.' },
  polyport_process_up: { type: 'gauge', help: 'Whether a process that is no worker is ready, by its place.' },
  polyport_process_restarts_total: { type: 'counter', help: 'How often a process that is no worker was started again after it ended.' },
  polyport_process_messages_total: { type: 'counter', help: 'Messages to a custom process.' },
  polyport_process_errors_total: { type: 'counter', help: 'Throws and rejections of a custom process.' },
  polyport_process_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of a process that is no worker.' },
  polyport_process_cpu_seconds_total: { type: 'counter', help: 'User and system CPU time of the processes of a place.' },
  polyport_process_eventloop_lag_seconds: { type: 'gauge', help: 'Longest delay of the event loop of a process since the last scrape.' },
  polyport_timer_runs_total: { type: 'counter', help: 'Runs of a timer that have begun.' },
  polyport_timer_skipped_total: { type: 'counter', help: 'Runs that were due while the one before was under way, or while the process could not run.' },
  polyport_timer_errors_total: { type: 'counter', help: 'Runs of a timer that threw or rejected.' },
  polyport_timer_duration_seconds: { type: 'histogram', help: 'Time in `run` of a timer, promises included.' },
  polyport_worker_message_errors_total: { type: 'counter', help: 'Throws and rejections of what `daemon.workers.onMessage` was given, by worker.' },
  polyport_bus_waits_total: { type: 'counter', help: 'How often a connection was not read for a while as it sent more than another process takes.' },
  polyport_bus_messages_dropped_total: { type: 'counter', help: 'Messages from one process to another that were dropped as that one takes none.' },
  polyport_lifecycle_errors_total: { type: 'counter', help: 'Throws and rejections of lifecycle hooks, by hook.' },
  polyport_tasks_waiting: { type: 'gauge', help: 'Tasks that wait, by class.' },
  polyport_tasks_running: { type: 'gauge', help: 'Tasks that a task worker has, by class.' },
  polyport_tasks_done_total: { type: 'counter', help: 'Tasks that are done, by class.' },
  polyport_tasks_failed_total: { type: 'counter', help: 'Tasks that have failed for good, by class.' },
  polyport_tasks_retried_total: { type: 'counter', help: 'Attempts that were not the first, by class.' },
  polyport_tasks_abandoned_total: { type: 'counter', help: 'Tasks of `run` for whose output nobody waits any more, by class.' },
  polyport_tasks_refused_total: { type: 'counter', help: 'Tasks that were not taken, by reason.' },
  polyport_tasks_kept_failed: { type: 'gauge', help: 'Tasks that are kept among the failed.' },
  polyport_task_queue_seconds: { type: 'histogram', help: 'Time from when a task is due until a task worker gets it, by class.' },
  polyport_task_handle_seconds: { type: 'histogram', help: 'Time in `handle` of a task or listener, promises included, by class.' },
  polyport_reloads_total: { type: 'counter', help: 'Reloads, by result.' },
  polyport_reload_duration_seconds: { type: 'gauge', help: 'How long the last reload took, until every connection that can move had moved.' },
  polyport_master_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of the master.' },
  polyport_master_cpu_seconds_total: { type: 'counter', help: 'User and system CPU time of the master.' },
  polyport_log_lines_dropped_total: { type: 'counter', help: 'Log lines that could not be written, by process.' },
  polyport_scrape_missing_workers: { type: 'gauge', help: 'Workers that did not answer this scrape in time: their last report is used.' },
  polyport_custom_metrics_omitted: {
    type: 'gauge',
    help: 'Metrics of handlers that are not on this page: it would grow too long, or the name or type is taken.',
  },
}

/** A family with its samples. */
export function family(name: string, values: MetricJson['values']): MetricJson {
  const known = FAMILIES[name]
  if (known === undefined) throw new RangeError(`Cannot show metric "${name}": FAMILIES does not list it`)
  return { name, type: known.type, help: known.help, aggregator: 'sum', values }
}
