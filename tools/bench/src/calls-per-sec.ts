import type { BenchContext } from './bench.ts'

// Results are stored where other code could read them; otherwise the optimizer may drop a pure call.
const results: unknown[] = new Array(64).fill(undefined)
let loops = 0

type Loop = (work: (index: number) => unknown, from: number, to: number, results: unknown[]) => void

// A loop shared by the contestants would be compiled for the first one and be slower for all that follow.
// The number makes each source different, because V8 keeps compiled code by source.
const makeLoop = () =>
  new Function(
    'work',
    'from',
    'to',
    'results',
    `for (let i = from; i < to; i++) results[i & 63] = work(i) // ${loops++}`,
  ) as Loop

/** Time that this thread has had a processor, to a few milliseconds: what else the machine does counts for nobody. */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1e3
}

/**
 * How often a synchronous function can be called in a second that the thread has to itself. `work` gets the number of the
 * call: use it to choose the input, or the optimizer may compute a constant once. Calls in a tight loop, after a quarter of
 * the time as warm-up.
 */
export function callsPerSec({ durationMs, signal }: BenchContext, work: (index: number) => unknown): number {
  const loop = makeLoop()
  const batchMs = Math.min(10, durationMs / 20)
  let calls = 0
  let index = 0
  let batch = 1
  const run = (untilMs: number) => {
    let now = cpuMs()
    while (now < untilMs) {
      signal.throwIfAborted()
      loop(work, index, index + batch, results)
      calls += batch
      // Beyond 30 bits V8 would change to floating-point numbers in the middle of a measurement.
      index = (index + batch) % 2 ** 28
      const end = cpuMs()
      if (end - now < batchMs / 2) batch *= 2
      else if (end - now > batchMs * 2 && batch > 1) batch /= 2
      now = end
    }
    return now
  }
  const start = run(cpuMs() + durationMs / 4)
  const before = calls
  const end = run(start + durationMs)
  return ((calls - before) / (end - start)) * 1e3
}
