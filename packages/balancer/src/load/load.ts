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

/** A load that is being counted: one `end` for each `begin`. */
export interface LoadMeter extends Load {
  begin(): void
  end(outcome: Outcome): void
}

export function loadMeter(): LoadMeter {
  const load = {
    inFlight: 0,
    succeeded: 0,
    failed: 0,
    ignored: 0,
    begin() {
      load.inFlight++
    },
    end(outcome: Outcome) {
      load.inFlight--
      if (outcome === 'success') load.succeeded++
      else if (outcome === 'failure') load.failed++
      else load.ignored++
    },
  }
  return load
}

/** @throws TypeError unless `outcome` is one of the three words. */
export function checkOutcome(outcome: unknown): asserts outcome is Outcome {
  if (outcome !== 'success' && outcome !== 'failure' && outcome !== 'ignored') {
    throw new TypeError(`outcome must be 'success', 'failure' or 'ignored', received ${String(outcome)}`)
  }
}
