import { checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { addTo, compensatedSum, totalOf } from './compensated-sum.ts'
import type { Distribution } from './distribution.ts'

/** What the counters say at one moment. Times in seconds, rates per second. */
export interface FlowReport {
  /** Seconds since the monitor began. */
  readonly elapsed: number
  readonly arrived: number
  readonly departed: number
  readonly inFlight: number
  /** Mean number in flight so far, and arrivals and departures per second. */
  readonly L: number
  readonly lambda: number
  readonly throughput: number
  /** Mean time of those that have left; 0 before the first. */
  readonly W: number
  /** Mean time of all that have come is at least this, as those in flight have still to leave. */
  readonly meanTimeAtLeast: number
  /** Sum of the ages of all that are in flight: the defect of Little's law, I - S. */
  readonly agesInFlight: number
  /** Somebody in flight is at least this old, for certain: the mean of the ages. */
  readonly oldestAtLeast: number
  /** Departures that cannot be: more than arrivals, or after a time in flight that is below 0 or longer than the monitor has run. */
  readonly faults: number
  /** How often the time given was before the one given last, or none at all; it then counts as the same moment. */
  readonly clockSteps: number
}

export interface FlowMonitor {
  /** Something comes in. @param now seconds on any clock that does not go back. */
  arrive(now: number): void
  /** Something leaves. @param now as for `arrive`. @param sojourn how long it was in, in seconds. */
  depart(now: number, sojourn: number): void
  report(now: number): FlowReport
  /**
   * At least so many in flight are older than `ageMax` seconds: lost, stuck, or leased for longer than they may be. It follows from the
   * counters alone and is never wrong; 0 says nothing.
   */
  overdueAtLeast(now: number, ageMax: number): number
}

/**
 * Little's law as an invariant. With I = ∫ N dt and S the sum of the times of those that have left, I - S is the sum of the ages of those
 * that have not, whatever the distributions: five counters and no identifiers, a few nanoseconds per event. A lost message adds one
 * second per second to it, for ever. The monitor begins at `startedAt` with nothing in flight.
 */
export function flowMonitor(startedAt: number): FlowMonitor {
  checkNumber('startedAt', startedAt, -magnitudeMax, magnitudeMax)
  const area = compensatedSum()
  const sojourns = compensatedSum()
  // Fields of an object change without an allocation, where variables that are captured may not.
  const state = { clock: -0, arrived: 0, departed: 0, faults: 0, clockSteps: 0 }
  state.clock = startedAt
  const advance = (now: number) => {
    const last = state.clock
    if (now > last && now <= magnitudeMax) {
      addTo(area, (state.arrived - state.departed) * (now - last))
      state.clock = now
    } else if (now !== last) state.clockSteps += 1
  }
  // Both sums are right to their last digits; what those may hide is not held against anybody.
  const ages = () => {
    const [all, left] = [totalOf(area), totalOf(sojourns)]
    return { sum: all - left, doubt: 2 ** -49 * (all + Math.abs(left)) }
  }
  return {
    arrive(now) {
      advance(now)
      state.arrived += 1
    },
    depart(now, sojourn) {
      advance(now)
      const longest = state.clock - startedAt
      // The two clocks that made them may round apart.
      const possible = sojourn >= 0 && sojourn <= longest * (1 + 2 ** -40)
      const extra = state.departed >= state.arrived
      if (extra || !possible) state.faults += 1
      if (extra) return
      state.departed += 1
      // Of a time that cannot be, the longest that can be accuses nobody else.
      addTo(sojourns, possible ? sojourn : longest)
    },
    report(now) {
      advance(now)
      const elapsed = state.clock - startedAt
      const inFlight = state.arrived - state.departed
      const { sum, doubt } = ages()
      const rate = (count: number) => (elapsed < 1 / magnitudeMax ? 0 : count / elapsed)
      return {
        elapsed,
        arrived: state.arrived,
        departed: state.departed,
        inFlight,
        L: rate(totalOf(area)),
        lambda: rate(state.arrived),
        throughput: rate(state.departed),
        W: state.departed === 0 ? 0 : totalOf(sojourns) / state.departed,
        meanTimeAtLeast: state.arrived === 0 ? 0 : totalOf(area) / state.arrived,
        agesInFlight: Math.max(0, sum),
        oldestAtLeast: inFlight === 0 ? 0 : Math.max(0, sum - doubt) / inFlight,
        faults: state.faults,
        clockSteps: state.clockSteps,
      }
    },
    overdueAtLeast(now, ageMax) {
      checkNumber('ageMax', ageMax, 0, magnitudeMax)
      advance(now)
      const { sum, doubt } = ages()
      // Those that are not overdue are at most ageMax old, the others at most as old as the monitor.
      const inFlight = state.arrived - state.departed
      const surplus = sum - doubt - inFlight * ageMax
      const room = state.clock - startedAt - ageMax
      return surplus > 0 && room > 0 ? Math.min(inFlight, Math.ceil(surplus / room)) : 0
    },
  }
}

/**
 * What `agesInFlight` is on average when nothing is lost: λ E[T²] / 2, whatever the order of service (S. L. Brumelle's H = λG, 1971).
 * Well above it for long, something is stuck before `overdueAtLeast` can prove it.
 */
export function expectedAges(flow: { readonly lambda: number; readonly response: Distribution }): number {
  const { lambda, response } = flow
  checkRate('lambda', lambda)
  return (lambda * (response.variance + response.mean * response.mean)) / 2
}
