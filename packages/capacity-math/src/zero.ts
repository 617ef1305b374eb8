/**
 * The place between `low` and `high` where a continuous function changes its sign, to the last digits: bisection that takes
 * the parabola through its last three points where that is safe (T. R. Chandrupatla, "A new hybrid quadratic/bisection
 * algorithm", 1997). About ten evaluations for a smooth function.
 * @param ends f(low) and f(high), where they are known already.
 */
export function zeroBetween(
  f: (x: number) => number,
  low: number,
  high: number,
  ends: readonly [number, number] = [f(low), f(high)],
): number {
  let [a, b] = [high, low]
  let [fb, fa] = ends
  let [c, fc] = [a, fa]
  if (fa === 0) return a
  if (fb === 0) return b
  if (fa > 0 === fb > 0) throw new RangeError(`no change of sign between ${low} and ${high}`)
  for (let t = 0.5, round = 0; round < 200; round++) {
    const x = a + t * (b - a)
    const fx = f(x)
    if (fx > 0 === fa > 0) [c, fc] = [a, fa]
    else {
      ;[c, fc] = [b, fb]
      ;[b, fb] = [a, fa]
    }
    ;[a, fa] = [x, fx]
    const best = Math.abs(fa) < Math.abs(fb) ? a : b
    const tolerance = 2 ** -53 * Math.abs(best) + Number.MIN_VALUE
    const share = tolerance / Math.abs(b - a)
    if (fa === 0 || share >= 0.5) return best
    const xi = (a - b) / (c - b)
    const phi = (fa - fb) / (fc - fb)
    t = 0.5
    if (phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi) {
      t = (fa / (fb - fa)) * (fc / (fb - fc)) + ((c - a) / (b - a)) * (fa / (fc - fa)) * (fb / (fc - fb))
    }
    t = Math.min(1 - share, Math.max(share, t))
  }
  return Math.abs(fa) < Math.abs(fb) ? a : b
}
