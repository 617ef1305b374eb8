import type { BenchContext, Measurement } from '../bench.ts'
import { callsPerSec } from '../calls-per-sec.ts'

/** A contestant that is timed call by call. */
export function nanoseconds(work: (index: number) => unknown): (context: BenchContext) => Measurement {
  return (context) => ({ nsPerCall: 1e9 / callsPerSec(context, work) })
}
