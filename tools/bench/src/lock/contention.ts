import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { BenchContext, Contestant } from '../bench.ts'
import type { LibraryName } from './libraries.ts'

const processes = 4
const contendersEach = 8

interface Seen {
  readonly counts: number[]
  readonly waitsMs: number[]
  readonly commands: number
}

/** 32 contenders in 4 processes for one key, each with a section of `sectionMs`. */
export const contended =
  (library: LibraryName, sectionMs: number): Contestant =>
  async (context) => {
    const options = {
      library,
      url: context.url('redis'),
      prefix: randomUUID(),
      contenders: contendersEach,
      sectionMs,
      durationMs: context.durationMs * 2,
    }
    const started = Array.from({ length: processes }, () => contender(options, context))
    await Promise.all(started.map(({ ready }) => ready))
    for (const { child } of started) child.stdin!.write('go\n')
    const seen = await Promise.all(started.map(({ result }) => result))
    const counts = seen.flatMap((one) => one.counts)
    const waits = seen.flatMap((one) => one.waitsMs).sort((a, b) => a - b)
    const total = counts.reduce((sum, count) => sum + count, 0)
    const squares = counts.reduce((sum, count) => sum + count * count, 0)
    return {
      acquiredPerSec: (total / options.durationMs) * 1e3,
      waitP99Ms: waits[Math.floor(waits.length * 0.99)] ?? options.durationMs,
      waitMaxMs: waits.at(-1) ?? options.durationMs,
      jain: squares > 0 ? total ** 2 / (counts.length * squares) : 0,
      commandsEach: seen.reduce((sum, one) => sum + one.commands, 0) / Math.max(1, total),
    }
  }

function contender(options: object, { signal }: BenchContext) {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--conditions=@headrace/source', fileURLToPath(new URL('contender.ts', import.meta.url)), JSON.stringify(options)],
    { stdio: ['pipe', 'pipe', 'inherit'], signal },
  )
  const lines = createInterface({ input: child.stdout! })
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(`a contender ended with ${code}`)))
  })
  failed.catch(() => {})
  const ready = Promise.withResolvers<void>()
  const result = Promise.withResolvers<Seen>()
  lines.on('line', (line) => {
    if (line === 'ready') ready.resolve()
    else result.resolve(JSON.parse(line) as Seen)
  })
  return {
    child,
    ready: Promise.race([ready.promise, failed]),
    result: Promise.race([result.promise, failed]),
  }
}
