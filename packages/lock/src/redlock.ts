import { HeadraceError, randomId } from '@headrace/core'
import type { LockDriver, RenewRequest, Standing } from './driver.ts'

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
  untilMs: number
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
  let proven: Promise<void> | undefined

  // Clients for node-redlock that answer before Redis did are around, its own for npm redis among them: with those,
  // everybody gets every lock. Renewing a lock that nobody has tells them, and a Redlock without nodes as well.
  const prove = async () => {
    const resource = `${prefix}headrace:${randomId()}`
    if (await redlock.renewLock(resource, randomId(), 1))
      throw new HeadraceError('REJECTED', 'this Redlock confirms a lock that nobody holds: do not use its clients')
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

      const take = async (key: string, id: string, ttlMs: number): Promise<string | null> => {
        proven ??= prove().catch((error: unknown) => {
          proven = undefined
          throw error
        })
        await proven
        const lock = await redlock.acquireLock(prefix + key, Math.ceil(ttlMs))
        if (!lock) return null
        if (grants.get(id)?.withdrawn !== false) await redlock.releaseLock(prefix + key, lock.value)
        return lock.value
      }

      const renew = async ({ key, id, ttlMs }: RenewRequest): Promise<Standing> => {
        const sentMs = clock.nowMs()
        const grant = grants.get(id)
        const value = await grant?.value.catch(() => null)
        if (!grant || !value || grant.withdrawn) return { state: 'gone' }
        if (clock.nowMs() >= grant.untilMs) {
          grants.delete(id)
          return { state: 'gone' }
        }
        if (await redlock.renewLock(prefix + key, value, Math.ceil(ttlMs))) {
          grant.untilMs = sentMs + ttlMs
          return { state: 'held', token: 0n }
        }
        // One node that is down or never had it is enough for that, and a majority may have it still: not known to be lost.
        return { state: 'failed', error: new HeadraceError('UNAVAILABLE', 'not every node of the Redlock renewed it') }
      }

      return {
        acquire: (requests) =>
          Promise.all(
            requests.map(async ({ key, id, ttlMs }): Promise<Standing> => {
              let grant = grants.get(id)
              if (!grant) {
                grant = { value: take(key, id, ttlMs), untilMs: clock.nowMs() + ttlMs, withdrawn: false }
                grants.set(id, grant)
              }
              const value = await grant.value.catch((error: unknown) => {
                grants.delete(id)
                throw error
              })
              if (value && !grant.withdrawn && clock.nowMs() < grant.untilMs) return { state: 'held', token: 0n }
              if (!value) grants.delete(id)
              return { state: 'gone' }
            }),
          ),
        renew: (requests) => Promise.all(requests.map(renew)),
        release: (requests) =>
          Promise.all(
            requests.map(async ({ key, id }) => {
              const grant = grants.get(id)
              if (!grant) return false
              // Before the answer to the acquisition is here there is nothing to release: that answer will.
              grant.withdrawn = true
              grants.delete(id)
              const value = await grant.value
              if (value) await redlock.releaseLock(prefix + key, value)
              // The package does not say whether it was there.
              return value !== null && clock.nowMs() < grant.untilMs
            }),
          ),
        inspect: () => Promise.resolve(null),
        evict: () => Promise.resolve(0),
        close: () => Promise.resolve(),
      }
    },
  }
}
