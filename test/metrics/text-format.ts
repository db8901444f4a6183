/** One family of a page of metrics. */
export interface ParsedFamily {
  readonly type: string
  readonly help: string
  /** By series: the name with its labels, as printed. */
  readonly samples: Map<string, number>
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"'
const HELP = new RegExp(`^# HELP (${NAME}) (\\S.*)$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`)
const SAMPLE = new RegExp(`^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? ([-+]?(?:\\d+(?:\\.\\d+)?(?:e[-+]?\\d+)?|Inf)|NaN)$`)
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { histogram: ['_bucket', '_sum', '_count'], summary: ['_sum', '_count'] }

/**
 * Reads Prometheus' text format 0.0.4 and throws on the least deviation: each family once, HELP then TYPE then samples, no
 * series twice, buckets that rise and end in the count.
 */
export function parseMetrics(page: string): Map<string, ParsedFamily> {
  if (!page.endsWith('\n')) throw new Error('The page does not end in a line feed')
  const families = new Map<string, ParsedFamily>()
  let help: RegExpExecArray | undefined
  let current: [string, ParsedFamily] | undefined
  for (const line of page.slice(0, -1).split('\n')) {
    if (line === '') continue
    const newHelp = HELP.exec(line)
    if (newHelp !== null) {
      help = newHelp
      current = undefined
      continue
    }
    const type = TYPE.exec(line)
    if (type !== null) {
      const name = String(type[1])
      if (help?.[1] !== name) throw new Error(`No HELP before: ${line}`)
      if (families.has(name)) throw new Error(`Family twice: ${name}`)
      current = [name, { type: String(type[2]), help: String(help[2]), samples: new Map() }]
      families.set(name, current[1])
      continue
    }
    const sample = SAMPLE.exec(line)
    if (sample === null || current === undefined) throw new Error(`Not a sample: ${line}`)
    const [name, family] = current
    const allowed = family.type === 'histogram' ? [] : [name]
    for (const suffix of SUFFIXES[family.type] ?? []) allowed.push(name + suffix)
    if (!allowed.includes(String(sample[1]))) throw new Error(`Sample of another family: ${line}`)
    const key = `${sample[1]}${sample[2] ?? ''}`
    if (family.samples.has(key)) throw new Error(`Series twice: ${key}`)
    family.samples.set(key, Number(String(sample[3]).replace('Inf', 'Infinity')))
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family)
  return families
}

function checkHistogram(name: string, family: ParsedFamily): void {
  const buckets = new Map<string, { le: number; value: number }[]>()
  for (const [key, value] of family.samples) {
    const le = /le="([^"]*)"/.exec(key)?.[1]
    if (le === undefined) continue
    const labels = key
      .slice(name.length + '_bucket'.length)
      .replace(/,?le="[^"]*"/, '')
      .replace('{,', '{')
      .replace('{}', '')
    buckets.set(labels, [...(buckets.get(labels) ?? []), { le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value }])
  }
  for (const [labels, list] of buckets) {
    const sorted = list.toSorted((a, b) => a.le - b.le)
    if (sorted.some((bucket, i) => bucket.value < (sorted[i - 1]?.value ?? 0))) throw new Error(`Buckets fall: ${name}${labels}`)
    const last = sorted.at(-1)
    if (last?.le !== Number.POSITIVE_INFINITY) throw new Error(`No +Inf bucket: ${name}${labels}`)
    if (family.samples.get(`${name}_count${labels}`) !== last.value) throw new Error(`Count differs from +Inf: ${name}${labels}`)
    if (!family.samples.has(`${name}_sum${labels}`)) throw new Error(`No sum: ${name}${labels}`)
  }
}
