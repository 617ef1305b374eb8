/**
 * ∫ f over (0, ∞) for a smooth f that falls like an exponential; `scale` is about where it has fallen. The trapezoid rule
 * after t = scale × exp(s - e^-s): the double-exponential formula (Takahasi & Mori, "Double exponential formulas for
 * numerical integration", 1974).
 */
export function integralToInfinity(f: (t: number) => number, scale: number): number {
  let sum = 0
  for (let s = -4; s <= 5; s += step) {
    const node = Math.exp(s - Math.exp(-s))
    sum += node * (1 + Math.exp(-s)) * f(scale * node)
  }
  return sum * step * scale
}

const step = 1 / 16
