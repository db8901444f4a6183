import { dirname, join, resolve } from 'node:path'
import { ConfigError, type Problem } from '../errors.ts'
import { checkShape, type Shape } from './check-shape.ts'
import { ConfigText } from './config-text.ts'
import { frozenCopy } from './deep-freeze.ts'
import { type Environment, readEnvironment } from './environment.ts'
import { type Finding, formatPath } from './finding.ts'
import { interpolate, type Sources } from './interpolate.ts'
import { readConfigFile } from './read-file.ts'
import { FILE_CONFIG_RULES, RULES, type Rule } from './rules.ts'
import { type Config, ConfigSchema } from './schema.ts'
import { toConfig } from './to-config.ts'

// More than anybody corrects at once: what is no config at all has one mistake for every few letters.
const MAX_PROBLEMS = 1000

/**
 * Reads, fills in, checks and completes a config file.
 * @param options `env`: read `.env.NAME` beside the file first; `environment`: what `${VAR}` is filled from, the process's own when absent
 * @throws ConfigError with every problem, each with line and column
 */
export function loadConfig(file: string, options: { env?: string; environment?: Environment } = {}): Config {
  const path = resolve(file)
  const dir = dirname(path)
  const text = new ConfigText(path, readConfigFile(path))
  const { environment, problems } = readEnvironment(dir, options.env, options.environment ?? process.env)
  if (text.problems.length > 0 && text.value === undefined) throw new ConfigError(atMost([...problems, ...text.problems]))
  const { value, findings, sources } = interpolate(text.value, environment)
  const checked = check(value, { file: path, dir, sources, rules: FILE_CONFIG_RULES, findings })
  const found = [...text.problems, ...checked.findings.map((finding) => text.locate(finding))]
  const all = [...problems, ...found.sort(byPosition)]
  if (all.length > 0 || checked.config === undefined) throw new ConfigError(atMost(all))
  return checked.config
}

/**
 * What of a config file that has mistakes can be loaded all the same: the ports that are right by themselves, so that the mistakes in
 * their handlers can be told with the others. Everything else of it is as in a config that names nothing but these ports.
 */
export function loadablePorts(file: string, options: { env?: string; environment?: Environment } = {}): Config | undefined {
  const path = resolve(file)
  const dir = dirname(path)
  const { environment, problems } = readEnvironment(dir, options.env, options.environment ?? process.env)
  const text = new ConfigText(path, readConfigFile(path))
  if (problems.length > 0 || text.problems.length > 0) return undefined
  const { value, findings, sources } = interpolate(text.value, environment)
  const { shape, findings: found } = find(value, { file: path, dir, sources, rules: FILE_CONFIG_RULES, findings })
  const wrong = new Set(found.flatMap(({ path: [key, index] }) => (key === 'ports' ? [index] : [])))
  const good = shape.ports.filter((port) => !wrong.has(port.path[1] as number))
  const parsed = ConfigSchema.safeParse({ ports: good.map(({ given }) => given) }).data
  if (parsed === undefined) return undefined
  return { ...toConfig(parsed, path, dir), portIndexes: good.flatMap(({ path: [, index], value: { enabled } }) => (enabled ? [index as number] : [])) }
}

/**
 * Where a daemon with this config file has its control socket, whatever else is wrong with the file by now: it is to be stopped all the same.
 * @returns undefined where the file does not say
 */
export function runtimeDirOf(file: string, options: { env?: string; environment?: Environment } = {}): string | undefined {
  const path = resolve(file)
  const dir = dirname(path)
  const { environment } = readEnvironment(dir, options.env, options.environment ?? process.env)
  const text = new ConfigText(path, readConfigFile(path))
  if (text.problems.length > 0) return undefined
  const { value, findings, sources } = interpolate(text.value, environment)
  const { runtimeDir } = checkShape(value, sources)
  return runtimeDir === undefined || findings.some(({ path: [key] }) => key === 'runtimeDir') ? undefined : resolve(dir, runtimeDir)
}

/**
 * Checks and completes a config that a program has built. Text is taken as it is: `${VAR}` is not filled in.
 * @param options `dir`: what relative paths start from, the current folder when absent
 * @throws ConfigError with every problem
 */
export function resolveConfig(input: unknown, options: { dir?: string } = {}): Config {
  const dir = resolve(options.dir ?? '.')
  // Where it would be: packages are looked for from here.
  const file = join(dir, 'config.json')
  const { config, findings } = check(input, { file, dir, sources: new Map(), rules: RULES, findings: [] })
  if (config === undefined) throw new ConfigError(atMost(findings.map(({ path, message }) => ({ file: 'config', path: formatPath(path), message }))))
  return config
}

interface CheckParts {
  readonly file: string
  readonly dir: string
  readonly sources: Sources
  readonly rules: readonly Rule[]
  /** What is known to be wrong already. */
  readonly findings: readonly Finding[]
}

function check(value: unknown, parts: CheckParts): { config: Config | undefined; findings: readonly Finding[] } {
  const { shape, findings } = find(value, parts)
  if (findings.length > 0 || shape.parsed === undefined) return { config: undefined, findings }
  return { config: frozenCopy(toConfig(shape.parsed, parts.file, parts.dir)), findings }
}

function find(value: unknown, { dir, sources, rules, findings }: CheckParts): { shape: Shape; findings: readonly Finding[] } {
  const shape = checkShape(value, sources)
  const ruled = rules.flatMap((rule) => rule(shape, dir))
  const known = new Set(findings.map(({ path }) => JSON.stringify(path)))
  // Where a variable is missing, what its absence leads to is no news.
  const news = shape.findings.filter(({ path }) => !known.has(JSON.stringify(path)))
  // Nor is what a rule has against a default that stands for something wrong.
  for (const { path } of news) known.add(JSON.stringify(path))
  news.push(...ruled.filter(({ path }) => !known.has(JSON.stringify(path))))
  return { shape, findings: [...findings, ...news] }
}

function atMost(problems: readonly Problem[]): readonly Problem[] {
  const [first] = problems
  if (first === undefined || problems.length <= MAX_PROBLEMS) return problems
  return [...problems.slice(0, MAX_PROBLEMS), { file: first.file, path: '', message: `and ${problems.length - MAX_PROBLEMS} more` }]
}

function byPosition(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}
