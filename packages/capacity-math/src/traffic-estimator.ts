import { checkNumber, checkProbability, magnitudeMax } from './checks.ts'
import { lowerGamma, upperGamma } from './gamma.ts'
import { type Moments, moments } from './moments.ts'
import { normalIsf } from './normal.ts'
import { poissonRate } from './poisson-rate.ts'

export interface Estimate {
  readonly value: number
  readonly lower: number
  readonly upper: number
}

/** Counts in windows of one length: `index` is their variance over their mean, which for a Poisson process is 1 at every length. */
export interface WindowDispersion {
  readonly window: number
  readonly windows: number
  readonly index: number
  /** Probability of an index so high, and of one so low, if the arrivals were Poisson. */
  readonly pBursty: number
  readonly pRegular: number
}

export interface TrafficReport {
  /** Arrivals per second. */
  readonly lambda: Estimate
  /** Seconds of one service. */
  readonly meanService: Estimate
  /** Squared coefficients of variation of the times between arrivals and of the services. */
  readonly ca2: Estimate
  readonly cs2: Estimate
  /** Correlation of neighbouring times between arrivals: 0 where they are independent. */
  readonly lag1: number
  readonly dispersion: readonly WindowDispersion[]
  /** What the arrivals are, at the confidence asked for. */
  readonly arrivals: 'poisson' | 'bursty' | 'regular' | 'insufficient data'
  /** The ca² to plan with: 1 where they may be Poisson, else the dispersion of the longest window, which knows bursts that `ca2` does not. */
  readonly planningCa2: number
}

export interface TrafficEstimator {
  /** @param at seconds on any clock that does not go back. */
  arrival(at: number): void
  /** @param seconds that one service took, without its wait. */
  service(seconds: number): void
  /** @param options.confidence of each interval and of the verdict, 0.95 by default. */
  report(now: number, options?: { readonly confidence?: number }): TrafficReport
}

// The fourth powers of longer times leave the range of binary64, and those of shorter ones vanish.
const timeMax = 1e60

// Fewer windows, or fewer events in them, cannot tell a process from Poisson.
const windowsMin = 20
const arrivalsMin = 100

/**
 * The parameters of a live system from its events, in constant memory: rates and variabilities with intervals, and whether the arrivals
 * are Poisson, from Fisher's index of dispersion over windows of `window`, 4 and 16 times `window` seconds.
 * @param options.startedAt when watching began. @param options.window seconds, such that a few arrivals fall into each.
 */
export function trafficEstimator(options: { readonly startedAt: number; readonly window: number }): TrafficEstimator {
  const { startedAt, window } = options
  checkNumber('startedAt', startedAt, -timeMax, timeMax)
  checkNumber('window', window, 1 / timeMax, timeMax)
  const gaps = moments()
  const services = moments()
  const scales = [1, 4, 16].map((factor) => windowCounts(startedAt, window * factor))
  let last: number | undefined
  let gapBefore: number | undefined
  let products = 0
  let arrivals = 0
  return {
    arrival(at) {
      checkNumber('at', at, last ?? startedAt, timeMax)
      arrivals += 1
      for (const scale of scales) scale.count(at)
      if (last !== undefined) {
        const gap = at - last
        gaps.add(gap)
        if (gapBefore !== undefined) products += (gap - gaps.mean()) * (gapBefore - gaps.mean())
        gapBefore = gap
      }
      last = at
    },
    service(seconds) {
      checkNumber('seconds', seconds, 0, timeMax)
      services.add(seconds)
    },
    report(now, { confidence = 0.95 } = {}) {
      checkNumber('now', now, last ?? startedAt, timeMax)
      checkProbability('confidence', confidence)
      const dispersion = scales.map((scale) => scale.report(now))
      const kind = verdict(dispersion, arrivals, confidence)
      const widest = dispersion.findLast((it) => it.windows >= windowsMin)?.index ?? 1
      const ca2 = scvOf(gaps, confidence)
      const [second] = gaps.sums()
      return {
        lambda: rateOf(arrivals, now - startedAt, kind === 'poisson' ? 1 : widest, confidence),
        meanService: meanOf(services, confidence),
        ca2,
        cs2: scvOf(services, confidence),
        lag1: second > 0 ? products / second : 0,
        dispersion,
        arrivals: kind,
        planningCa2:
          kind === 'poisson' || kind === 'insufficient data'
            ? 1
            : kind === 'regular'
              ? ca2.value
              : Math.max(widest, ca2.value),
      }
    },
  }
}

/** Mean, and sum of squares around it, of the counts in windows that follow each other; empty ones need no steps. */
function windowCounts(startedAt: number, window: number) {
  let current = 0
  let count = 0
  let [sum, squares, closed] = [0, 0, 0]
  const advance = (at: number) => {
    const index = Math.floor((at - startedAt) / window)
    if (index <= current) return
    sum += count
    squares += count * count
    closed += index - current
    ;[current, count] = [index, 0]
  }
  return {
    count(at: number) {
      advance(at)
      count += 1
    },
    report(now: number): WindowDispersion {
      advance(now)
      const mean = sum / closed
      if (closed < 2 || sum === 0) return { window, windows: closed, index: 1, pBursty: 1, pRegular: 1 }
      const freedom = closed - 1
      const index = Math.max(0, squares - sum * mean) / freedom / mean
      const [shape, x] = [freedom / 2, (index * freedom) / 2]
      return { window, windows: closed, index, pBursty: upperGamma(shape, x), pRegular: lowerGamma(shape, x) }
    },
  }
}

/** Each of the windows may cry wolf; the bound is shared among them and the two sides. */
function verdict(
  dispersion: readonly WindowDispersion[],
  arrivals: number,
  confidence: number,
): TrafficReport['arrivals'] {
  const telling = dispersion.filter((it) => it.windows >= windowsMin)
  if (arrivals < arrivalsMin || telling.length === 0) return 'insufficient data'
  const bound = (1 - confidence) / (2 * telling.length)
  if (telling.some((it) => it.pBursty < bound)) return 'bursty'
  return telling.some((it) => it.pRegular < bound) ? 'regular' : 'poisson'
}

function rateOf(count: number, exposure: number, dispersion: number, confidence: number): Estimate {
  if (exposure < 1 / timeMax) return { value: 0, lower: 0, upper: magnitudeMax }
  const value = count / exposure
  const exact = poissonRate({ count, exposure, confidence })
  // Counts vary sqrt(index) times as much as Poisson counts do.
  const stretch = Math.sqrt(Math.max(1, dispersion))
  return {
    value,
    lower: Math.max(0, value - (value - exact.lower) * stretch),
    upper: value + (exact.upper - value) * stretch,
  }
}

function meanOf(values: Moments, confidence: number): Estimate {
  const n = values.count()
  const value = values.mean()
  if (n < 2) return { value, lower: 0, upper: magnitudeMax }
  const half = normalIsf((1 - confidence) / 2) * Math.sqrt(values.sums()[0] / (n - 1) / n)
  return { value, lower: Math.max(0, value - half), upper: value + half }
}

/** The interval is that of the delta method: IF(x) = (d² - m₂) / m² - 2 c² d / m with d = x - m. */
function scvOf(values: Moments, confidence: number): Estimate {
  const n = values.count()
  const mean = values.mean()
  if (n < 2 || mean < 1 / timeMax) return { value: 1, lower: 0, upper: magnitudeMax }
  const [s2, s3, s4] = values.sums()
  const value = s2 / (n - 1) / (mean * mean)
  const [m2, m3, m4] = [s2 / n, s3 / n, s4 / n]
  const spread = (m4 - m2 * m2) / mean ** 4 + (4 * value * value * m2) / mean ** 2 - (4 * value * m3) / mean ** 3
  const half = normalIsf((1 - confidence) / 2) * Math.sqrt(Math.max(0, spread) / n)
  return { value, lower: Math.max(0, value - half), upper: value + half }
}
