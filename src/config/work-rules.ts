import type { Shape } from './check-shape.ts'
import type { Finding } from './finding.ts'

/** Rules for what runs beside the ports. */

export function timersNeedNoLock({ timers }: Shape): Finding[] {
  if (timers?.value.globalLock !== true) return []
  const message = 'of several machines only one can run the timers with Redis alone, and this version has no "cluster" yet, expected false'
  return [{ path: [...timers.path, 'globalLock'], message }]
}

export function timerJobsFit({ timers }: Shape): Finding[] {
  const seen = new Map<string, number>()
  return (timers?.value.jobs ?? []).flatMap((job, index) => {
    const path = ['timers', 'jobs', index]
    const first = seen.get(job.class)
    const findings: Finding[] = []
    if (first !== undefined)
      findings.push({ path: [...path, 'class'], message: `timers.jobs[${first}] is of "${job.class}" already, expected one entry for a class` })
    else seen.set(job.class, index)
    if (job.interval !== undefined && job.schedule !== undefined) {
      findings.push({ path: [...path, 'schedule'], message: 'a timer runs either every "interval" or by "schedule", expected one of them', isKey: true })
    }
    if (job.timezone !== undefined && job.interval !== undefined && job.schedule === undefined) {
      findings.push({ path: [...path, 'timezone'], message: 'only for a timer with a "schedule"', isKey: true })
    }
    return findings
  })
}

export const workRules: readonly ((shape: Shape) => Finding[])[] = [timersNeedNoLock, timerJobsFit]
