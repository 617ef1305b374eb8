/** What one endpoint has been given and has answered, seen from here. */
export interface Load {
  /** Picked and not yet done. */
  readonly inFlight: number
  readonly succeeded: number
  readonly failed: number
  readonly ignored: number
}

/**
 * How a piece of work ended for the endpoint that had it.
 *
 * - `success`: it answered.
 * - `failure`: it did not answer, or not in time, or not as it should: the endpoint's fault.
 * - `ignored`: says nothing of the endpoint: the caller's mistake, a cancellation, an understood refusal.
 */
export type Outcome = 'success' | 'failure' | 'ignored'

export interface LoadMeter extends Load {
  /** Counts one more in flight, until the returned function is called; a second call of that does nothing. */
  begin(): (outcome: Outcome) => boolean
}

export function loadMeter(): LoadMeter {
  const counts = { success: 0, failure: 0, ignored: 0 }
  let inFlight = 0
  return {
    get inFlight() {
      return inFlight
    },
    get succeeded() {
      return counts.success
    },
    get failed() {
      return counts.failure
    },
    get ignored() {
      return counts.ignored
    },
    begin() {
      let open = true
      inFlight++
      return (outcome) => {
        if (!Object.hasOwn(counts, outcome)) {
          throw new TypeError(`outcome must be 'success', 'failure' or 'ignored', received ${String(outcome)}`)
        }
        if (!open) return false
        open = false
        inFlight--
        counts[outcome]++
        return true
      }
    },
  }
}
