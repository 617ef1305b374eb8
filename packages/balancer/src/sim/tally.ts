/** What came of a scenario, for the requests after the warm-up. */
export interface SimulationResult {
  readonly policy: string
  readonly answered: number
  /** Answered with a failure. */
  readonly failed: number
  /** Not sent at all: nobody to pick, or no hope to be in time. */
  readonly refused: number
  /** Given up at the deadline. */
  readonly late: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  /** Answered in time, as a share of what the fleet can do. */
  readonly goodput: number
  /** Share of what was sent, by endpoint id. */
  readonly shares: Readonly<Record<string, number>>
  /** Requests that met their key in flight at another endpoint, sent by the same dispatcher. */
  readonly overlaps: number
  /** A line grew past 2,500: no figure of such a run means anything, and it was stopped. */
  readonly unstable: boolean
  /** A number that two runs share only if all their decisions were the same. */
  readonly digest: number
}

export interface Tally {
  answered(latencyMs: number): void
  failed(): void
  refused(): void
  late(): void
  overlapped(): void
  chose(index: number): void
  result(run: {
    readonly policy: string
    readonly unstable: boolean
    readonly sent: Readonly<Record<string, number>>
    readonly elapsedMs: number
    readonly capacityPerMs: number
  }): SimulationResult
}

export function createTally(requests: number): Tally {
  const latencies = new Float64Array(requests)
  let answered = 0
  let failed = 0
  let refused = 0
  let late = 0
  let overlaps = 0
  let sum = 0
  // FNV-1a over the indices of the endpoints chosen.
  let digest = 0x811c9dc5
  return {
    answered(latencyMs) {
      latencies[answered++] = latencyMs
      sum += latencyMs
    },
    failed() {
      failed++
    },
    refused() {
      refused++
    },
    late() {
      late++
    },
    overlapped() {
      overlaps++
    },
    chose(index) {
      digest = Math.imul(digest ^ (index + 1), 0x01000193)
    },
    result({ policy, unstable, sent, elapsedMs, capacityPerMs }) {
      const sorted = latencies.subarray(0, answered).sort()
      const quantile = (share: number) => sorted[Math.min(answered - 1, Math.floor(share * answered))] ?? 0
      const all = Object.values(sent).reduce((total, count) => total + count, 0)
      return {
        ...{ policy, answered, failed, refused, late, overlaps, unstable },
        meanMs: answered > 0 ? sum / answered : 0,
        p50Ms: quantile(0.5),
        p99Ms: quantile(0.99),
        p999Ms: quantile(0.999),
        maxMs: sorted[answered - 1] ?? 0,
        goodput: answered / elapsedMs / capacityPerMs,
        shares: Object.fromEntries(Object.entries(sent).map(([id, count]) => [id, all > 0 ? count / all : 0])),
        digest: digest >>> 0,
      }
    },
  }
}
