import type { Backoff, Clock } from '@headrace/core'
import type { Discovery, Snapshot } from './discovery.ts'

/**
 * Hands every snapshot of `discovery` to `apply` until it ends or `signal` aborts. A failure, also one of `apply`, goes to
 * `failed`, and the watch starts again after a pause: a registry that is down is the normal case, not the end.
 */
export async function follow<Metadata>(
  discovery: Discovery<Metadata>,
  options: {
    readonly apply: (snapshot: Snapshot<Metadata>) => void
    readonly failed: (error: unknown) => void
    readonly signal: AbortSignal
    readonly clock: Clock
    readonly backoff: Backoff
  },
): Promise<void> {
  const { apply, failed, signal, clock, backoff } = options
  for (let failures = 1; ; failures++) {
    try {
      for await (const snapshot of discovery.watch(signal)) {
        if (signal.aborted) return
        apply(snapshot)
        failures = 1
      }
      return
    } catch (error) {
      if (signal.aborted) return
      failed(error)
    }
    try {
      await clock.sleep(backoff(failures), signal)
    } catch {
      // Only the signal ends the pause early.
      return
    }
  }
}
