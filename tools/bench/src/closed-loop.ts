import { createHistogram } from 'node:perf_hooks'
import type { BenchContext } from './bench.ts'

export interface LoopOptions {
  /** How many calls are under way at any time. */
  readonly callers: number
  /** One call; what it rejects with ends the measurement. */
  readonly call: (caller: number, index: number) => Promise<unknown>
  /** How long to measure; the duration of the context by default. */
  readonly durationMs?: number
}

/**
 * Keeps a number of callers busy for a while, each with one call after the other. Times include all calls that were
 * answered. As each caller waits for its answer, a slow server is asked less often: the times are those of a system that
 * slows its callers down, not those of an open flood.
 */
export async function closedLoop(
  context: Pick<BenchContext, 'durationMs' | 'signal'>,
  options: LoopOptions,
): Promise<{ answeredPerSec: number; p50Ms: number; p99Ms: number; maxMs: number }> {
  const { callers, call, durationMs = context.durationMs } = options
  const microseconds = createHistogram({ figures: 3 })
  let index = 0
  const start = performance.now()
  const end = start + durationMs
  let last = start
  const caller = async (number: number) => {
    for (let sent = performance.now(); sent < end; ) {
      context.signal.throwIfAborted()
      await call(number, index++)
      last = performance.now()
      // The histogram takes integers of 1 and more.
      microseconds.record(Math.max(1, Math.round((last - sent) * 1e3)))
      sent = last
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)))
  const ms = (percentile: number) => microseconds.percentile(percentile) / 1e3
  return {
    answeredPerSec: (microseconds.count / (last - start)) * 1e3,
    p50Ms: ms(50),
    p99Ms: ms(99),
    maxMs: microseconds.max / 1e3,
  }
}
