import { fade, type MeasuredLoad } from './load.ts'

// Before it has been seen, an endpoint counts as an average one: as if it had given this many answers.
const presumedAnswers = 1

/**
 * The mean time that work spends at an endpoint, by Little's law (J. D. C. Little, 1961): L = λW, so that
 * W = integral of the number in flight ÷ answers. It needs no timestamp per request, and sees a stall before the first
 * late answer does, because time passes while nothing ends.
 */
export function residenceMs(load: MeasuredLoad, nowMs: number): number {
  const { pace, areaMs, answers, inFlight, asOfMs } = load
  const { fadeMs } = pace
  const left = nowMs > asOfMs ? fade((nowMs - asOfMs) / fadeMs) : 1
  const area = areaMs * left + inFlight * fadeMs * (1 - left)
  return (area + presumedAnswers * pace.meanMs) / (answers * left + presumedAnswers)
}
