import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AlreadyRunningError } from '../errors.ts'
import { makeFolder } from '../make-folder.ts'
import { isListening } from '../net/unix-path.ts'

/** `runtimeDir/polyport.pid`. A daemon lives when its control socket answers: a number alone may be another program's by now. */
export class PidFile {
  readonly #path: string
  readonly #controlSocket: string
  #isOurs = false

  constructor(runtimeDir: string) {
    this.#path = join(runtimeDir, 'polyport.pid')
    this.#controlSocket = join(runtimeDir, 'polyport.sock')
  }

  /**
   * Makes the folder and writes this process's number.
   * @throws AlreadyRunningError
   */
  async take(): Promise<void> {
    makeFolder(join(this.#path, '..'))
    const pid = this.#read()
    if (await isListening(this.#controlSocket)) {
      throw new AlreadyRunningError(
        `Cannot start: a daemon with this runtimeDir runs already${pid === undefined ? '' : ` as process ${pid}`}; stop it with "polyport stop"`,
      )
    }
    writeFileSync(this.#path, `${process.pid}\n`)
    this.#isOurs = true
  }

  release(): void {
    if (this.#isOurs && this.#read() === process.pid) rmSync(this.#path, { force: true })
    this.#isOurs = false
  }

  #read(): number | undefined {
    try {
      const pid = Number.parseInt(readFileSync(this.#path, 'utf8'), 10)
      return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
    } catch {
      // No file, or not one that can be read: then there is no number to name.
      return undefined
    }
  }
}
