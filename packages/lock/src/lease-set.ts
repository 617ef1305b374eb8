import type { Lease } from './lease.ts'
import type { AcquireOptions, Settings } from './options.ts'

/** Several leases that were acquired together and end together. */
export interface LeaseSet extends AsyncDisposable {
  /** In the order of the keys asked for, each key once. */
  readonly leases: readonly Lease[]
  /** The lease of one of the keys. @throws RangeError for any other key. */
  of(key: string): Lease
  /** Whether all of them can be trusted now. */
  readonly held: boolean
  /** Aborts with the `LOST` error of the first one that is lost. */
  readonly signal: AbortSignal
  /** As `Lease.guard`, for all of them. */
  guard<T>(work: (signal: AbortSignal) => Promise<T> | T): Promise<T>
  /** Gives all of them back; true where all were held until now. */
  release(): Promise<boolean>
}

const keysMax = 1_000

/**
 * Acquires the keys in one order that is the same for everybody, so that two who want the same keys meet at the first of
 * them and never wait for each other in a circle.
 */
export async function acquireSet(
  acquire: (key: string, options?: AcquireOptions) => Promise<Lease>,
  { clock, wish }: Settings,
  keys: readonly string[],
  options: AcquireOptions = {},
): Promise<LeaseSet> {
  if (!Array.isArray(keys)) throw new TypeError(`keys must be a string or an array of strings, received ${typeof keys}`)
  const asked = [...new Set(keys)]
  if (asked.length === 0 || asked.length > keysMax)
    throw new RangeError(`keys must be from 1 to ${keysMax} keys, received ${asked.length}`)
  const untilMs = clock.nowMs() + wish(options).waitMs
  const taken = new Map<string, Lease>()
  try {
    for (const key of [...asked].sort()) {
      // The first of them may have used up the time: then the last ones still get an answer if they are free at once.
      const waitMs = Math.max(1, untilMs - clock.nowMs())
      taken.set(key, await acquire(key, { ...options, waitMs }))
    }
  } catch (error) {
    await Promise.all([...taken.values()].map((lease) => lease.release()))
    throw error
  }
  return leaseSet(asked.map((key) => taken.get(key)!))
}

function leaseSet(leases: readonly Lease[]): LeaseSet {
  let signal: AbortSignal | undefined
  // The guard of a lease that is not held says why.
  const check = () => leases.find((lease) => !lease.held)?.guard(() => {})
  const set: LeaseSet = {
    leases,
    of(key) {
      const found = leases.find((lease) => lease.key === key)
      if (!found) throw new RangeError(`"${key}" is not one of the keys of this set`)
      return found
    },
    get held() {
      return leases.every((lease) => lease.held)
    },
    get signal() {
      signal ??= AbortSignal.any(leases.map((lease) => lease.signal))
      return signal
    },
    async guard(work) {
      await check()
      const result = await work(set.signal)
      await check()
      return result
    },
    async release() {
      const all = await Promise.all(leases.map((lease) => lease.release()))
      return all.every(Boolean)
    },
    async [Symbol.asyncDispose]() {
      await set.release()
    },
  }
  return set
}
