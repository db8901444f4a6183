import type { Problem } from '../errors.ts'
import { ConfigText } from './config-text.ts'
import { parsePath } from './finding.ts'
import { readConfigFile } from './read-file.ts'

/**
 * Mistakes in a config file with their lines and columns, also those that only show when what it names has been loaded: the name of a class that no module exports, say.
 * Positions are those in the file as it is now.
 * @param file path of the config file
 */
export function located(problems: readonly Problem[], file: string): readonly Problem[] {
  if (!problems.some((problem) => isWithout(problem, file))) return problems
  let text: ConfigText
  try {
    text = new ConfigText(file, readConfigFile(file))
  } catch {
    // Gone meanwhile.
    return problems
  }
  return problems.map((problem) => {
    const path = isWithout(problem, file) ? parsePath(problem.path) : undefined
    return path === undefined ? problem : text.locate({ path, message: problem.message })
  })
}

function isWithout(problem: Problem, file: string): boolean {
  return problem.file === file && problem.line === undefined
}
