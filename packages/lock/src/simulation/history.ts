import type { Lease } from '../lease.ts'
import type { Locks } from '../locks.ts'
import type { AcquireOptions } from '../options.ts'

/** One lease as its holder saw it. Moments are positions in the order of all that was recorded. */
export interface LeaseRecord {
  readonly process: string
  readonly key: string
  readonly token: bigint
  readonly exclusive: boolean
  /** When the lease was asked for. */
  readonly invokedAt: number
  readonly acquiredAt: number
  /** When the holder let go, or was told that it had lost it; `Infinity` until then. */
  endedAt: number
}

export interface LeaseHistory {
  /** Acquires through `locks` and records what comes of it, as seen by `process`. */
  acquire(process: string, locks: Pick<Locks, 'acquire'>, key: string, options?: AcquireOptions): Promise<Lease>
  readonly records: readonly LeaseRecord[]
}

/** Records leases of many processes in one order, for `checkLeases`. Works in real and in virtual time. */
export function recordLeases(): LeaseHistory {
  const records: LeaseRecord[] = []
  let moment = 0
  return {
    records,
    async acquire(process, locks, key, options) {
      const invokedAt = moment++
      const lease = await locks.acquire(key, options)
      const record: LeaseRecord = {
        process,
        key,
        token: lease.token,
        exclusive: options?.mode !== 'shared',
        invokedAt,
        acquiredAt: moment++,
        endedAt: Number.POSITIVE_INFINITY,
      }
      records.push(record)
      const end = () => {
        record.endedAt = Math.min(record.endedAt, moment++)
      }
      lease.signal.addEventListener('abort', end, { once: true })
      // A wrapper, not a copy: what a lease says is computed when it is asked.
      return new Proxy(lease, {
        get(target, name) {
          if (name === 'release' || name === Symbol.asyncDispose)
            return () => {
              end()
              return target.release()
            }
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}

/**
 * What is wrong with a history; empty where it is what locks promise.
 * @param expect.order `fifo`: who asked first, of two who asked one after the other was sure to be in line, is served
 * first. Only for `handoverMax: 0` and a network that keeps the order. `exclusion: false` checks tokens only, for histories
 * in which holders were stopped and could not know.
 */
export function checkLeases(
  records: readonly LeaseRecord[],
  expect: { readonly order?: 'fifo' | 'any'; readonly exclusion?: boolean } = {},
): string[] {
  const { order = 'any', exclusion = true } = expect
  const wrong: string[] = []
  const say = ({ process, key, token }: LeaseRecord) => `${process}'s ${token} of "${key}"`
  for (const key of new Set(records.map((record) => record.key))) {
    const own = records.filter((record) => record.key === key)
    const sorted = own.toSorted((one, other) => one.acquiredAt - other.acquiredAt)
    const tokens = new Map<bigint, LeaseRecord>()
    for (const [at, record] of sorted.entries()) {
      const twin = tokens.get(record.token)
      if (twin) wrong.push(`${say(record)} is also ${twin.process}'s`)
      tokens.set(record.token, record)
      for (const earlier of sorted.slice(0, at)) {
        if (earlier.endedAt < record.invokedAt && earlier.token >= record.token)
          wrong.push(`${say(record)} is not above ${say(earlier)}, which had ended before`)
        if (exclusion && earlier.endedAt > record.acquiredAt && (earlier.exclusive || record.exclusive))
          wrong.push(`${say(record)} was acquired while ${say(earlier)} was held`)
        if (exclusion && earlier.endedAt < record.acquiredAt && earlier.token > record.token && record.exclusive)
          wrong.push(`${say(record)} came after ${say(earlier)} with an older token`)
        if (order === 'fifo' && earlier.invokedAt > record.invokedAt)
          wrong.push(`${say(earlier)} was served before ${say(record)}, which had asked first`)
      }
    }
  }
  return wrong
}
