/**
 * Σ term(i) over the integers from `first` to `last` for terms ≥ 0 that rise to one mode and fall after it, added from `mode`
 * outwards until they no longer count: as many steps as the terms are wide, however long the range. `last` may be Infinity.
 */
export function sumFromMode(term: (i: number) => number, mode: number, first: number, last: number): number {
  if (last < first) return 0
  const start = Math.min(last, Math.max(first, Math.round(mode)))
  let sum = 0
  for (let i = start; i <= Math.min(last, Number.MAX_SAFE_INTEGER - 1); i++) {
    const next = term(i)
    sum += next
    if (i > start && next <= sum * 2 ** -60) break
  }
  for (let i = start - 1; i >= first; i--) {
    const next = term(i)
    sum += next
    if (next <= sum * 2 ** -60) break
  }
  return sum
}
