import type { Registry } from 'prom-client'
import { type MetricJson, toMetricJson } from './metric-json.ts'
import { promClient } from './prom-client.ts'

/** The registry behind `daemon.metrics`. */
export interface LazyRegistry {
  /** Loads prom-client on first use: a worker whose handlers have no metrics of their own does not pay its memory. */
  readonly registry: Registry
  /** What is registered, as plain data. Never rejects. */
  custom(): Promise<MetricJson[]>
}

// A scrape waits no longer for a handler's `collect` function; what it gave last time is sent instead.
const COLLECT_MS = 500

/** @param onError is told of a metric whose `collect` function threw, rejected or took too long */
export function lazyRegistry(onError: (error: unknown, metric: string) => void = ignore): LazyRegistry {
  let registry: Registry | undefined
  // A counter that could not be collected keeps its last value, so that totals do not go back.
  const last = new Map<string, MetricJson>()

  async function collect(metric: { name: string; get(): Promise<unknown> }): Promise<MetricJson | undefined> {
    try {
      const json = toMetricJson(await within(metric.get(), COLLECT_MS))
      if (json !== undefined) last.set(json.name, json)
      return json
    } catch (error) {
      onError(error, metric.name)
      return last.get(metric.name)
    }
  }

  return {
    get registry(): Registry {
      registry ??= new (promClient().Registry)()
      return registry
    },
    async custom(): Promise<MetricJson[]> {
      if (registry === undefined) return []
      const metrics = registry.getMetricsAsArray().filter(isCollectable)
      const collected = await Promise.all(metrics.map(collect))
      return collected.filter((metric) => metric !== undefined)
    },
  }
}

function isCollectable<T extends { name: string }>(metric: T): metric is T & { get(): Promise<unknown> } {
  return 'get' in metric && typeof metric.get === 'function'
}

function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Cannot collect in ${ms} ms`)), ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function ignore(): void {
  // The caller did not ask to be told.
}
