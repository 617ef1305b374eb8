import { exponentialBackoff, isHeadraceError } from '@headrace/core'
import type { Lease } from './lease.ts'
import type { AcquireOptions, Settings } from './options.ts'

// A candidate that waits longer than this takes its place again, so that no place outlives its owner by more.
const placeMs = 3_600_000

/** Acquires the key again and again; each lease is a term, which ends with the body of the loop that uses it. */
export async function* lead(
  acquire: (key: string, options?: AcquireOptions) => Promise<Lease>,
  { clock, random }: Settings,
  key: string,
  options: Omit<AcquireOptions, 'waitMs' | 'mode'> = {},
): AsyncGenerator<Lease, void, undefined> {
  const { signal } = options
  const backoff = exponentialBackoff({ delayMinMs: 100, delayMaxMs: 5_000, random })
  let failures = 0
  while (!signal?.aborted) {
    try {
      const term = await acquire(key, { ...options, waitMs: placeMs })
      failures = 0
      try {
        yield term
      } finally {
        await term.release()
      }
    } catch (error) {
      if (signal?.aborted) return
      // An outage must not end a candidacy; whoever leads now is found out when it is over.
      if (!isHeadraceError(error) || !['TIMEOUT', 'UNAVAILABLE', 'BUSY'].includes(error.code)) throw error
      await clock.sleep(backoff(++failures), signal).catch(() => {})
    }
  }
}
