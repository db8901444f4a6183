#!/usr/bin/env node
/**
 * `polyport` on the command line. It imports nothing before it has looked at the version: an older Node would fail in a
 * package, with a message that names neither the version nor the remedy.
 */
const MIN_NODE = '22.19'

function isOldNode(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [minMajor = 0, minMinor = 0] = MIN_NODE.split('.').map(Number)
  return major < minMajor || (major === minMajor && minor < minMinor)
}

if (isOldNode()) {
  process.stderr.write(
    `Polyport needs Node.js ${MIN_NODE} or later, this is ${process.versions.node}: in a clone "npm start" uses the one that "npm ci" brings; elsewhere "npm install node@26" gives one to npm scripts and npx, and https://nodejs.org one to the machine\n`,
  )
  process.exitCode = 2
} else {
  import('./cli/main.ts')
    .then(({ main }) => main(process.argv))
    .catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
      process.exitCode = 1
    })
}
