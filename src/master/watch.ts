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
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(parts: { log: Logger; reload: () => Promise<void> }) {
    this.#log = parts.log
    this.#reload = parts.reload
  }

  /** Watches what the config says: called again after each reload. */
  async follow(config: Config): Promise<void> {
    const { watch } = config
    const paths = watchedPaths(config)
    const wanted = JSON.stringify([watch, paths, config.ports.map((port) => port.static)])
    if (wanted === this.#watched) return
    this.#watched = wanted
    await this.stop()
    if (!watch.enabled) return
    // Only who watches pays for it.
    const { watch: start } = await import('chokidar')
    const ignored = new Set([...watch.ignore, config.runtimeDir, config.dataDir, ...config.ports.flatMap((port) => port.static ?? [])])
    this.#watcher = start(paths, {
      ignoreInitial: true,
      // The folder that was asked for may have any name.
      ignored: (path) => !paths.includes(path) && (isHidden(path) || ignored.has(path)),
    })
    this.#watcher.on('all', (event, path) => {
      if (event !== 'addDir' && event !== 'unlinkDir') this.#saved(path, watch.debounceMs)
    })
    this.#watcher.on('error', (error) => this.#log.warn({ err: error }, 'Cannot watch all files: save again, or reload by hand'))
    await new Promise<void>((resolve) => this.#watcher?.on('ready', () => resolve()))
    this.#log.info({ paths }, 'Watching: a saved file reloads')
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#watcher?.close()
    this.#watcher = undefined
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

function isHidden(path: string): boolean {
  const name = basename(path)
  return name.startsWith('.') || name === 'node_modules' || path.includes(`${sep}node_modules${sep}`)
}
