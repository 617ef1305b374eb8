import { HeadraceError, randomId } from '@headrace/core'
import type { AcquireRequest, LockDriver, ReleaseRequest, RenewRequest, Standing } from './driver.ts'

/** The part of a `Redlock` of the npm package node-redlock that is used. */
export interface NodeRedlock {
  acquireLock(resource: string, ttlMs: number): Promise<{ readonly value: string } | null>
  releaseLock(resource: string, value: string): Promise<unknown>
  renewLock(resource: string, value: string, ttlMs: number): Promise<boolean>
}

export interface RedlockLocksOptions {
  /** Put before each key. Empty by default: the key is the resource, and code that uses the same Redlock by itself is kept out. */
  readonly prefix?: string
}

interface Grant {
  /** Settles with what the package calls the value of the lock, null where it was refused. */
  readonly value: Promise<string | null>
  sinceMs: number
  ttlMs: number
  withdrawn: boolean
}

/**
 * Locks through an existing instance of node-redlock. It has no fencing tokens, so `createLocks` wants
 * `{ fencing: 'none' }`; no queue, so waiters ask again and again; and it renews only while every node answers.
 */
export function redlockLocks(redlock: NodeRedlock, options: RedlockLocksOptions = {}): LockDriver {
  for (const method of ['acquireLock', 'releaseLock', 'renewLock'] as const)
    if (typeof redlock?.[method] !== 'function')
      throw new TypeError(`redlock must be a Redlock of node-redlock; it has no method ${method}`)
  const { prefix = '' } = options
  let proven = false

  // Clients for node-redlock that answer before Redis did are around, its own for npm redis among them: with those,
  // everybody gets every lock. Renewing a lock that nobody has tells them, and a Redlock without nodes as well.
  const prove = async () => {
    const resource = `${prefix}headrace:${randomId()}`
    if (await redlock.renewLock(resource, randomId(), 1))
      throw new HeadraceError('REJECTED', 'this Redlock confirms a lock that nobody holds: do not use its clients')
    proven = true
  }

  return {
    name: 'redlock',
    supports: {
      fencing: false,
      queue: 'none',
      shared: false,
      inspect: false,
      evict: false,
      batchMax: 1,
      ttlMinMs: 1,
      ttlMaxMs: Number.MAX_SAFE_INTEGER,
    },
    open({ clock }) {
      const grants = new Map<string, Grant>()
      const lives = (grant: Grant) => clock.nowMs() < grant.sinceMs + grant.ttlMs

      const take = async (key: string, ttlMs: number) => {
        // Each for itself until one has an answer: a question that gets none must not stand in the way of the next.
        if (!proven) await prove()
        return (await redlock.acquireLock(prefix + key, Math.ceil(ttlMs)))?.value ?? null
      }

      const acquire = async ({ key, id, ttlMs }: AcquireRequest): Promise<Standing> => {
        let grant = grants.get(id)
        if (!grant) {
          grant = { value: take(key, ttlMs), sinceMs: clock.nowMs(), ttlMs, withdrawn: false }
          grants.set(id, grant)
        }
        const value = await grant.value.catch((error: unknown) => {
          grants.delete(id)
          throw error
        })
        // One that took longer than its ttl as well: that it is no lease is seen by `sinceMs`, and whoever sees it gives it back.
        if (value && !grant.withdrawn) return { state: 'held', token: 0n, sinceMs: grant.sinceMs }
        if (!value) grants.delete(id)
        return { state: 'gone' }
      }

      const renew = async ({ key, id, ttlMs }: RenewRequest): Promise<Standing> => {
        const sinceMs = clock.nowMs()
        const grant = grants.get(id)
        const value = await grant?.value
        if (!grant || !value || grant.withdrawn) return { state: 'gone' }
        if (!lives(grant)) {
          grants.delete(id)
          return { state: 'gone' }
        }
        if (await redlock.renewLock(prefix + key, value, Math.ceil(ttlMs))) {
          grant.sinceMs = sinceMs
          grant.ttlMs = ttlMs
          return { state: 'held', token: 0n }
        }
        // One node that is down or never had it is enough for that, and a majority may have it still: not known to be lost.
        return { state: 'failed', error: new HeadraceError('UNAVAILABLE', 'not every node of the Redlock renewed it') }
      }

      const release = async ({ key, id }: ReleaseRequest): Promise<boolean> => {
        const grant = grants.get(id)
        if (!grant) return false
        grant.withdrawn = true
        const value = await grant.value
        // The package does not say whether it was still there.
        const held = value !== null && lives(grant)
        if (value) await redlock.releaseLock(prefix + key, value)
        return grants.delete(id) && held
      }

      return {
        acquire: (requests) => Promise.all(requests.map(acquire)),
        renew: (requests) => Promise.all(requests.map(renew)),
        release: (requests) => Promise.all(requests.map(release)),
        inspect: () => Promise.resolve(null),
        evict: () => Promise.resolve(0),
        close: () => Promise.resolve(),
      }
    },
  }
}
