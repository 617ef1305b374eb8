import { flowMonitor } from '@headrace/capacity-math/estimate'
import type { BenchContext, Measurement } from '../bench.ts'
import { callsPerSec } from '../calls-per-sec.ts'

/** An arrival and a departure, half each, as a running system would count them. */
export function flowEvents(context: BenchContext): Measurement {
  const monitor = flowMonitor(0)
  let now = 0
  const pairsPerSec = callsPerSec(context, () => {
    now += 0.001
    monitor.arrive(now)
    monitor.depart(now, 0)
    return now
  })
  return { nsPerCall: 1e9 / pairsPerSec / 2 }
}
