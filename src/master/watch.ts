import { fstatSync, statSync } from 'node:fs'
import { basename, sep } from 'node:path'
import type { FSWatcher } from 'chokidar'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import { watchedPaths } from './watched-paths.ts'

/** Reload on save. */
export class Watch {
  readonly #log: Logger
  readonly #reload: () => Promise<void>
  #watched = ''
  #following: Promise<void> = Promise.resolve()
  /** Whose turn it is: what is asked for later takes the place of what has not come to its end. */
  #turn = 0
  #watcher: FSWatcher | undefined
  #onEnd: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(parts: { log: Logger; reload: () => Promise<void> }) {
    this.#log = parts.log
    this.#reload = parts.reload
  }

  /** Watches what the config says: called again after each reload. Resolves when it does, or is asked for something else. */
  follow(config: Config): Promise<void> {
    const paths = watchedPaths(config)
    const wanted = JSON.stringify([config.watch, paths, config.ports.map((port) => port.static)])
    if (wanted !== this.#watched) {
      this.#watched = wanted
      this.#following = this.#begin(config, paths)
    }
    return this.#following
  }

  async stop(): Promise<void> {
    this.#watched = ''
    this.#turn++
    await this.#end()
  }

  async #begin(config: Config, paths: readonly string[]): Promise<void> {
    const { watch } = config
    const turn = ++this.#turn
    await this.#end()
    if (!watch.enabled || turn !== this.#turn) return
    // Only who watches pays for it.
    const { watch: start } = await import('chokidar')
    if (turn !== this.#turn) return
    const ignored = new Set([...watch.ignore, config.runtimeDir, config.dataDir, config.tasks?.dataDir, ...config.ports.flatMap((port) => port.static ?? [])])
    const watcher = start([...paths], {
      ignoreInitial: true,
      // The folder that was asked for may have any name.
      ignored: (path) => !paths.includes(path) && (isHidden(path) || ignored.has(path)),
    })
    this.#watcher = watcher
    watcher.on('all', (event, path) => {
      if (event !== 'addDir' && event !== 'unlinkDir' && !isOwnOutput(path)) this.#saved(path, watch.debounceMs)
    })
    watcher.on('error', (error) => this.#log.warn({ err: error }, 'Cannot watch all files: save again, or reload by hand'))
    await new Promise<void>((resolve) => {
      watcher.on('ready', resolve)
      // One that is closed before is never ready.
      this.#onEnd = resolve
    })
    if (turn === this.#turn) this.#log.info({ paths }, 'Watching: a saved file reloads')
  }

  async #end(): Promise<void> {
    const watcher = this.#watcher
    this.#watcher = undefined
    clearTimeout(this.#timer)
    this.#onEnd?.()
    await watcher?.close()
  }

  #saved(path: string, debounceMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#log.info({ file: path }, 'Saved: reloading')
      // A failure is logged there.
      this.#reload().catch(() => {})
    }, debounceMs)
  }
}

/** Whether it is where the daemon's own lines go, each of which would save it: `polyport start --watch > daemon.log`. */
function isOwnOutput(path: string): boolean {
  const file = statSync(path, { throwIfNoEntry: false })
  return file !== undefined && [1, 2].some((fd) => isSameFile(fd, file))
}

function isSameFile(fd: number, file: { readonly dev: number; readonly ino: number }): boolean {
  try {
    const { dev, ino } = fstatSync(fd)
    return dev === file.dev && ino === file.ino
  } catch {
    // It has been closed.
    return false
  }
}

function isHidden(path: string): boolean {
  const name = basename(path)
  return name.startsWith('.') || name === 'node_modules' || path.includes(`${sep}node_modules${sep}`)
}
