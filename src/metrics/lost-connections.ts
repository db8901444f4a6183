import type { PortReport } from './port-counters.ts'

/**
 * Connections that ended with their process, which could not count them. Found by what is missing: every connection that was accepted is open somewhere, or
 * counted as closed, or was lost. So it makes no difference how many a killed process had since given to another, or got from one.
 */
export class LostConnections {
  readonly #byPort = new Map<string, number>()

  /** @param ports sums over all processes that are and were, each as it was at one moment, and while no connection is between two of them */
  settle(ports: Iterable<PortReport>): void {
    for (const { name, accepted, closed, connections } of ports) {
      const numClosed = Object.values(closed).reduce((sum, count) => sum + count, 0)
      this.#byPort.set(name, Math.max(this.#byPort.get(name) ?? 0, accepted - numClosed - connections))
    }
  }

  /** The same port, with what was lost among the closed. */
  addTo(port: PortReport): PortReport {
    const lost = this.#byPort.get(port.name) ?? 0
    return lost === 0 ? port : { ...port, closed: { ...port.closed, error: (port.closed['error'] ?? 0) + lost } }
  }
}
