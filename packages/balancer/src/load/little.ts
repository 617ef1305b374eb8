import { growth } from './fade.ts'
import type { MeasuredLoad } from './load.ts'

// Before it has been seen, an endpoint counts as an average one: as if it had given this many answers.
const presumedAnswers = 1

/**
 * The mean time that work spends at an endpoint, by Little's law (J. D. C. Little, 1961): L = λW, so that
 * W = integral of the number in flight ÷ answers. It needs no timestamp per request, and sees a stall before the first
 * late answer does, because time passes while nothing ends.
 */
export function residenceMs(load: MeasuredLoad, nowMs: number): number {
  return residenceOverShareMs(load, nowMs, 1)
}

/**
 * The same ÷ `share`, in one division: it is the cost of a candidate, and a division takes as long as all the rest. So what
 * has faded since is multiplied into the other side of the fraction, too, where area and answers fade alike.
 */
export function residenceOverShareMs(load: MeasuredLoad, nowMs: number, share: number): number {
  const { pace, areaMs, answers, inFlight, asOfMs } = load
  const { fadeMs, perFadeMs, meanMs } = pace
  const grown = nowMs > asOfMs ? growth((nowMs - asOfMs) * perFadeMs) : 1
  return (
    (areaMs + inFlight * fadeMs * (grown - 1) + presumedAnswers * meanMs * grown) /
    ((answers + presumedAnswers * grown) * share)
  )
}
