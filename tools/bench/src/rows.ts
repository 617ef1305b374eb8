/** One line of a result: one metric of one case against one peer, or alone where there is none. */
export interface Row {
  bench: string
  case: string
  metric: string
  unit: string
  /** Median over the repetitions. */
  ours: number
  peer: number | null
  peerName: string | null
  /** Ours over peer: more is better for a rate, less for a time. `null` without a peer, and where a peer measured 0. */
  ratio: number | null
  /** Smallest and largest of the ratios within one repetition; `ratio` lies between them. */
  ratioMin: number | null
  ratioMax: number | null
  runs: number
}

/** The value in the middle, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('values must not be empty')
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return Number.isInteger(half) ? (sorted[half - 1]! + sorted[half]!) / 2 : sorted[Math.floor(half)]!
}

/** Ours against one peer. Both lists are in the order of the repetitions, so that neighbours in time are compared. */
export function compare(
  ours: readonly number[],
  peer: readonly number[],
): Pick<Row, 'ratio' | 'ratioMin' | 'ratioMax'> {
  if (peer.some((value) => value === 0)) return { ratio: null, ratioMin: null, ratioMax: null }
  const ratios = ours.map((value, run) => value / peer[run]!)
  return { ratio: median(ours) / median(peer), ratioMin: Math.min(...ratios), ratioMax: Math.max(...ratios) }
}
