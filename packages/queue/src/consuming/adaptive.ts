/** How many handlers run at a time, found out from how long they take. */
export interface Adaptive {
  readonly limit: number
  /** A handler has ended, when so many ran. */
  ended(tookMs: number, running: number): void
}

const first = 16
const samplesMin = 20
/** Handlers may take half as long again as when they are not in each other's way. */
const tolerance = 1.5
const windowsPerLook = 50

/**
 * Grows while handlers take about as long as when there were few of them, and shrinks when they take longer, which is when
 * something that they share is full: more at a time, and less than that of each. What "few" means can change, so from time
 * to time it looks again how long they take with half as many. (Additive increase, multiplicative decrease on a delay, as
 * TCP Vegas has it.)
 */
export function createAdaptive(max: number): Adaptive {
  let limit = Math.min(first, max)
  let aloneMs: number | undefined
  let looking: number | undefined
  let windows = 0
  let samples = 0
  let sumMs = 0
  let full = false

  function adapt(meanMs: number): void {
    if (looking !== undefined) {
      aloneMs = meanMs
      limit = looking
      looking = undefined
      return
    }
    aloneMs ??= meanMs
    // One quick window says little: the mean of few is often too small.
    if (meanMs < aloneMs) aloneMs += (meanMs - aloneMs) / 4
    if (meanMs > aloneMs * tolerance) limit = Math.max(1, limit * 0.9)
    else if (full) limit = Math.min(max, limit + Math.max(1, limit * 0.1))
    if (++windows % windowsPerLook > 0 || limit < 2) return
    looking = limit
    limit /= 2
  }

  return {
    get limit() {
      return Math.floor(limit)
    },
    ended(tookMs, running) {
      samples++
      sumMs += tookMs
      full ||= running >= Math.floor(limit)
      if (samples < Math.max(samplesMin, limit)) return
      adapt(sumMs / samples)
      samples = 0
      sumMs = 0
      full = false
    },
  }
}
