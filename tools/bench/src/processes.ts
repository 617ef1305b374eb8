import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { BenchContext } from './bench.ts'

/** A process that talks in lines, on its standard input and output. */
export interface Talker {
  /** The next line that it says. Rejects where the process ends first. */
  line(): Promise<string>
  say(line: string): void
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>
}

/** Starts a module with `options` as its argument; it ends with the measurement at the latest. */
export function startProcess(module: URL, options: object, { signal }: Pick<BenchContext, 'signal'>): Talker {
  const file = fileURLToPath(module)
  const flags = ['--conditions=@headrace/source', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, file, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
  })
  const ended = once(child, 'exit')
  ended.catch(() => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async line() {
      const { value } = await Promise.race([lines.next(), ended.then(() => lines.next())])
      if (value === undefined) throw new Error(`${basename(file)} ended without a word`)
      return value
    },
    say(line) {
      child.stdin.write(`${line}\n`)
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
