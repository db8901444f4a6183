import yargs, { type Argv } from 'yargs'
import { hideBin } from 'yargs/helpers'
import { nearest } from '../config/nearest.ts'
import { VERSION } from '../version.ts'
import { DEFAULT_CONFIG } from './config-options.ts'
import { EXIT, report } from './exit-code.ts'

/** Thrown to end yargs' work once a usage error has been printed. */
class UsageError extends Error {}

/**
 * Runs one command line and sets the exit code. The process then ends by itself, so that all output has left.
 * What a verb needs is imported when it runs: `status` does not load a daemon.
 */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await createParser(hideBin([...argv])).parseAsync()
  } catch (error) {
    process.exitCode = error instanceof UsageError ? EXIT.usage : report(error)
  }
}

function createParser(args: readonly string[]): Argv {
  const parser = yargs([...args])
    .scriptName('polyport')
    .usage('$0 <verb>\n\nA network daemon: TCP, UDP, HTTP, WebSocket and unix sockets from one JSON file.')
    // An `-x 1.10` must stay text, `--no-…` and dots in a name must not become something else.
    .parserConfiguration({ 'boolean-negation': false, 'dot-notation': false, 'parse-numbers': false, 'duplicate-arguments-array': false })
    .locale('en')
  addDaemonVerbs(parser)
  addOtherVerbs(parser)
  return parser
    .demandCommand(1, 1, 'A verb is missing')
    .strict()
    .version(VERSION)
    .alias({ help: 'h', version: 'v' })
    .wrap(Math.min(100, process.stdout.columns ?? 100))
    .epilogue('Exit codes: 0 done, 1 failed, 2 bad usage or config, 3 not running.')
    .exitProcess(false)
    .fail((message, error, failed) => {
      // Verbs report what they throw; what is no YError is a mistake in here.
      if (error && error.name !== 'YError') throw error
      failed.showHelp('error')
      process.stderr.write(`\n${usageMistake(message, args)}\n`)
      throw new UsageError(message)
    })
}

const VERBS = ['start', 'restart', 'reload', 'heap', 'tasks', 'stop', 'status', 'info', 'check', 'init', 'connect', 'schema']
const WANTED: Readonly<Record<string, string>> = { heap: 'the number of a worker', tasks: 'an action: list, failed, show, retry or drop', connect: 'a URL' }

/** What yargs says, where it does not name what is wrong. */
function usageMistake(message: string, args: readonly string[]): string {
  const [verb = ''] = args
  if (/^Unknown (argument|command)/.test(message) && !verb.startsWith('-') && !VERBS.includes(verb)) {
    const meant = nearest(verb, VERBS)
    return `Unknown verb "${verb}"${meant === undefined ? '' : `, did you mean ${meant}?`}`
  }
  const wanted = WANTED[verb]
  return message.startsWith('Not enough non-option arguments') && wanted !== undefined ? `polyport ${verb} needs ${wanted}` : message
}

function addDaemonVerbs(parser: Argv): void {
  parser
    .command(
      'start',
      'Run the daemon in the foreground; Ctrl-C or SIGTERM stops it',
      (command) =>
        startOptions(command)
          .example('$0 start -c config.json -x 1.10', 'serve, and show 1.10 as the application’s version')
          .example('$0 start --watch', 'reload whenever a file is saved'),
      (options) => run(async () => (await import('./start.ts')).start(options), { isDaemon: true }),
    )
    .command(
      'restart',
      'Stop the daemon if it runs, and start it',
      (command) => startOptions(command).example('$0 restart -d', 'for what a reload cannot change'),
      (options) => run(async () => (await import('./restart.ts')).restart(options), { isDaemon: true }),
    )
    .command(
      'reload',
      'Put new code and a new config to work without closing a connection',
      (command) => configOptions(command).example('$0 reload', 'exit code 1, and the old code goes on, when the new code cannot start'),
      (options) => run(async () => (await import('./reload.ts')).reload(options)),
    )
    .command(
      'heap <slot>',
      'Have a worker write a heap snapshot into runtimeDir',
      (command) =>
        configOptions(command)
          .positional('slot', { type: 'number', demandOption: true, describe: 'The number of the worker' })
          .example('$0 heap 0', 'a file for the memory tab of Chrome’s developer tools'),
      (options) => run(async () => (await import('./heap.ts')).heap(options)),
    )
    .command(
      'tasks <action> [which]',
      'List, show, retry or drop tasks',
      (command) =>
        jsonOption(configOptions(command))
          .positional('action', { choices: ['list', 'failed', 'show', 'retry', 'drop'] as const, demandOption: true, describe: 'What to do' })
          .positional('which', { type: 'string', describe: 'The number of a task; retry and drop also take "all", of those that have failed' })
          .option('state', { choices: ['waiting', 'running', 'failed'] as const, describe: 'list: which tasks; waiting when absent' })
          .option('limit', { type: 'number', requiresArg: true, default: 100, describe: 'list, failed: how many at most' })
          .example('$0 tasks failed', 'what has failed, and why')
          .example('$0 tasks retry all', 'try all of them again'),
      (options) => run(async () => (await import('./tasks.ts')).tasks({ ...options, which: options.which })),
    )
    .command(
      'stop',
      'Stop the running daemon and wait until it has ended',
      (command) => configOptions(command).example('$0 stop -c config.json', 'stop the daemon that this config has started'),
      (options) => run(async () => (await import('./stop.ts')).stop(options)),
    )
    .command(
      'status',
      'Show the ports, workers and tables of the running daemon',
      (command) => jsonOption(configOptions(command)).example('$0 status --json | jq .ports', 'the ports, for a program'),
      (options) => run(async () => (await import('./status.ts')).status(options)),
    )
}

function addOtherVerbs(parser: Argv): void {
  parser
    .command(
      'info',
      'Show the versions of Polyport, Node.js, the system and the packages, and which config is meant',
      (command) => jsonOption(configOption(command)).example('$0 info', 'what to put into a bug report'),
      (options) => run(async () => (await import('./info.ts')).info(options)),
    )
    .command(
      'check',
      'Check the config and load its handlers, without opening a port',
      (command) => configOptions(command).example('$0 check -c config.json -e production', 'check with the variables of .env.production'),
      (options) => run(async () => (await import('./check.ts')).check(options)),
    )
    .command(
      'init [folder]',
      'Write a config and one handler per protocol',
      (command) =>
        command
          .positional('folder', { type: 'string', default: '.', describe: 'Where to write; made if it is not there' })
          .option('force', { type: 'boolean', default: false, describe: 'Overwrite the config and the handlers that are there' })
          .option('example', { type: 'string', requiresArg: true, describe: 'A larger example instead: telemetry' })
          .example('$0 init shop', 'a new project in ./shop')
          .example('$0 init gateway --example telemetry', 'a telemetry gateway in ./gateway'),
      (options) => run(async () => (await import('./init.ts')).init(options)),
    )
    .command(
      'connect <url>',
      'Talk to a port: lines from stdin are sent, what arrives is printed',
      (command) =>
        command
          .positional('url', {
            type: 'string',
            demandOption: true,
            describe: 'tcp://host:port, tls://host:port, udp://host:port, ws://…, wss://… or unix:/path',
          })
          .option('eof', { type: 'string', requiresArg: true, describe: 'What ends each line that is sent: \\r\\n on tcp and unix, nothing elsewhere' })
          .option('wait', { type: 'number', requiresArg: true, default: 1, describe: 'Seconds of silence after the end of stdin that end the talk' })
          .example('echo hi | $0 connect tcp://127.0.0.1:5291', 'send a line, print the answer')
          .example('$0 connect ws://127.0.0.1:5294/', 'chat; Ctrl-D ends it'),
      (options) => run(async () => (await import('./connect.ts')).connect(options)),
    )
    .command(
      'schema',
      'Print the JSON Schema of the config',
      (command) => command.example('$0 schema > config.schema.json', 'for an editor, named by "$schema" in the config'),
      () => run(async () => (await import('./schema.ts')).schema()),
    )
}

function startOptions(
  command: Argv,
): Argv<{ config: string; env: string | undefined; ignore: boolean; appVersion: string | undefined; daemon: boolean; watch: boolean }> {
  return configOptions(command)
    .option('ignore', { alias: 'i', type: 'boolean', default: false, describe: 'Ignore a stale pid file. One never hinders a start, so this changes nothing' })
    .option('app-version', { alias: 'x', type: 'string', requiresArg: true, describe: 'Your version, shown in status and metrics' })
    .option('daemon', { alias: 'd', type: 'boolean', default: false, describe: 'Run in the background; returns when every port listens' })
    .option('watch', { type: 'boolean', default: false, describe: 'Reload when a file is saved' }) as never
}

function configOptions(command: Argv): Argv<{ config: string; env: string | undefined }> {
  return configOption(command).option('env', { alias: 'e', type: 'string', requiresArg: true, describe: 'Read variables from .env.ENV first' })
}

function configOption(command: Argv): Argv<{ config: string }> {
  return command.option('config', { alias: 'c', type: 'string', requiresArg: true, default: DEFAULT_CONFIG, describe: 'The config file' })
}

function jsonOption<T>(command: Argv<T>): Argv<T & { json: boolean }> {
  return command.option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
}

async function run(verb: () => Promise<number>, { isDaemon = false } = {}): Promise<void> {
  // A daemon outlives the reader of its output; for everything else `polyport … | head -1` has got what it wanted.
  if (!isDaemon) process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed))
  try {
    process.exitCode = await verb()
  } catch (error) {
    process.exitCode = report(error)
  }
}
