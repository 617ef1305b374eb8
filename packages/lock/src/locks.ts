import { checkKey, HeadraceError } from '@headrace/core'
import type { LockDriver, LockState } from './driver.ts'
import { lead } from './lead.ts'
import type { Lease } from './lease.ts'
import { acquireSet, type LeaseSet } from './lease-set.ts'
import { type AcquireOptions, type LocksOptions, readSettings } from './options.ts'
import { createReception } from './reception.ts'
import { createReentrancy } from './reentrancy.ts'
import { createSemaphore, type Semaphore } from './semaphore.ts'

/** Leases on keys. Every lease is renewed until it is released or lost. */
export interface Locks extends AsyncDisposable {
  /**
   * Waits for its turn: first come, first served.
   * @throws HeadraceError `TIMEOUT` after `waitMs` or where the backend gives no answer, `ABORTED`, `UNAVAILABLE`,
   * `REJECTED`, `BUSY` where `waitingMax` callers wait already, `CLOSED`. Nothing stays locked by a failed call.
   */
  acquire(key: string, options?: AcquireOptions): Promise<Lease>
  /** Tries once: null where the key is held, here or elsewhere, or somebody is in line for it. @throws as `acquire` does. */
  tryAcquire(key: string, options?: Omit<AcquireOptions, 'waitMs'>): Promise<Lease | null>
  /** Runs `work` while it holds the key, and gives the key back. @throws what `acquire` or `work` throws. */
  withLock<T>(key: string, work: (lease: Lease) => Promise<T> | T, options?: AcquireOptions): Promise<T>
  /**
   * The same for several keys at once, all or nothing. They are taken in one order by everybody, so that two such calls
   * never wait for each other; `waitMs` is for all of them together.
   */
  withLock<T>(keys: readonly string[], work: (leases: LeaseSet) => Promise<T> | T, options?: AcquireOptions): Promise<T>
  /** All of `keys` or none, as `withLock` does. @throws as `acquire` does. */
  acquireAll(keys: readonly string[], options?: AcquireOptions): Promise<LeaseSet>
  /**
   * `permits` leases of one key at a time, which all who use it must agree on. @throws HeadraceError `UNSUPPORTED`.
   */
  semaphore(key: string, permits: number): Semaphore
  /**
   * Terms of leadership, one after the other, for as long as somebody iterates: each is a lease that ends when the body
   * is done, or is lost (`signal`). Waits without limit, and through outages of the backend; ends when `signal` aborts.
   * @example for await (const term of locks.lead('scheduler', { signal })) await schedule(term.token, term.signal)
   */
  lead(key: string, options?: Omit<AcquireOptions, 'waitMs' | 'mode'>): AsyncIterable<Lease>
  /** Who holds the key and who waits for it; null where nobody does. @throws HeadraceError `UNSUPPORTED` and as `acquire`. */
  inspect(key: string): Promise<LockState | null>
  /** Asks whoever holds the key to let go: their `wanted` aborts. How many were asked. @throws as `inspect` does. */
  revoke(key: string): Promise<number>
  /**
   * Takes the key from whoever holds it: their `signal` aborts, and the next in line gets it. It cannot stop a write that
   * is on its way: acquire the key and seal the resource with the newer token before you read. @throws as `inspect` does.
   * @returns how many it was taken from.
   */
  force(key: string): Promise<number>
  /** Gives everything back: waiters get `CLOSED`, leases abort with `LOST`. Takes at most `callMs` for each of two steps. */
  close(): Promise<void>
}

/** @throws HeadraceError `UNSUPPORTED` where the driver gives no fencing tokens and they were not waived; RangeError, TypeError. */
export function createLocks(driver: LockDriver, options: LocksOptions = {}): Locks {
  const settings = readSettings(driver, options)
  const reception = createReception(driver, settings)
  const reentrancy = settings.reentrancy === 'none' ? undefined : createReentrancy()

  const plain = (key: string, own: AcquireOptions | undefined, how: 'once' | 'wait') =>
    reception.request(key, () => settings.wish(own), how)
  const request: typeof plain = reentrancy
    ? async (key, own, how) => reentrancy.borrow(key, settings.wish(own)) ?? plain(key, own, how)
    : plain
  const acquire = (key: string, own?: AcquireOptions) => request(key, own, 'wait') as Promise<Lease>
  const acquireAll = (keys: readonly string[], own?: AcquireOptions) => acquireSet(acquire, settings, keys, own)
  const evict = (key: string, how: 'ask' | 'force') => {
    checkKey('key', key)
    if (!driver.supports.evict)
      throw new HeadraceError('UNSUPPORTED', `${driver.name} cannot take a lock from its holder`)
    return reception.call('evict', (session) => session.evict(key, how))
  }

  async function withLock<T>(
    keys: string | readonly string[],
    work: (held: never) => Promise<T> | T,
    own?: AcquireOptions,
  ): Promise<T> {
    const held = typeof keys === 'string' ? await acquire(keys, own) : await acquireAll(keys, own)
    const run = () => (work as (held: Lease | LeaseSet) => Promise<T> | T)(held)
    try {
      return await (reentrancy ? reentrancy.within('leases' in held ? held.leases : [held], own?.mode, run) : run())
    } finally {
      await held.release()
    }
  }

  const locks: Locks = {
    acquire,
    tryAcquire: (key, own) => request(key, own, 'once'),
    withLock,
    acquireAll,
    semaphore: (key, permits) => createSemaphore(driver, reception, settings, key, permits),
    lead: (key, own) => lead(acquire, settings, key, own),
    async inspect(key) {
      checkKey('key', key)
      if (!driver.supports.inspect) throw new HeadraceError('UNSUPPORTED', `${driver.name} cannot inspect a lock`)
      return await reception.call('inspect', (session) => session.inspect(key))
    },
    async revoke(key) {
      return await evict(key, 'ask')
    },
    async force(key) {
      return await evict(key, 'force')
    },
    close: reception.close,
    [Symbol.asyncDispose]: reception.close,
  }
  return locks
}
