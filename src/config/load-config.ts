import { dirname, join, resolve } from 'node:path'
import { ConfigError, type Problem } from '../errors.ts'
import { checkShape } from './check-shape.ts'
import { ConfigText } from './config-text.ts'
import { frozenCopy } from './deep-freeze.ts'
import { type Environment, readEnvironment } from './environment.ts'
import { type Finding, formatPath } from './finding.ts'
import { interpolate, type Sources } from './interpolate.ts'
import { readConfigFile } from './read-file.ts'
import { FILE_CONFIG_RULES, RULES, type Rule } from './rules.ts'
import type { Config } from './schema.ts'
import { toConfig } from './to-config.ts'

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
  if (text.problems.length > 0 && text.value === undefined) throw new ConfigError([...problems, ...text.problems])
  const { value, findings, sources } = interpolate(text.value, environment)
  const checked = check(value, { file: path, dir, sources, rules: FILE_CONFIG_RULES, findings })
  const found = [...text.problems, ...checked.findings.map((finding) => text.locate(finding))]
  const all = [...problems, ...found.sort(byPosition)]
  if (all.length > 0 || checked.config === undefined) throw new ConfigError(all)
  return checked.config
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
  if (config === undefined) throw new ConfigError(findings.map(({ path, message }) => ({ file: 'config', path: formatPath(path), message })))
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

function check(value: unknown, { file, dir, sources, rules, findings }: CheckParts): { config: Config | undefined; findings: readonly Finding[] } {
  const shape = checkShape(value, sources)
  const ruled = rules.flatMap((rule) => rule(shape, dir))
  const known = new Set(findings.map(({ path }) => JSON.stringify(path)))
  // Where a variable is missing, what its absence leads to is no news.
  const news = [...shape.findings, ...ruled].filter(({ path }) => !known.has(JSON.stringify(path)))
  const all = [...findings, ...news]
  if (all.length > 0 || shape.parsed === undefined) return { config: undefined, findings: all }
  return { config: frozenCopy(toConfig(shape.parsed, file, dir)), findings: all }
}

function byPosition(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}
