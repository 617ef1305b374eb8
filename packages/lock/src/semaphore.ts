import { checkInteger, checkKey } from '@headrace/core'
import type { LockDriver } from './driver.ts'
import type { Lease } from './lease.ts'
import { type AcquireOptions, checkShares, type Settings } from './options.ts'
import type { Reception } from './reception.ts'

export interface PermitOptions extends Omit<AcquireOptions, 'mode'> {
  /** How many permits to take, from 1 to all of them; 1 by default. */
  readonly permits?: number | undefined
}

/** At most so many permits of a key at a time, first come, first served: who needs many is not passed by who needs few. */
export interface Semaphore {
  readonly key: string
  readonly permits: number
  /** @throws as `Locks.acquire` does, and RangeError for a number of permits that never comes free. */
  acquire(options?: PermitOptions): Promise<Lease>
  /** Tries once: null where too few permits are free, or others are in line for them. */
  tryAcquire(options?: Omit<PermitOptions, 'waitMs'>): Promise<Lease | null>
  /** Runs `work` while it holds the permits. @throws what `acquire` or `work` throws. */
  withPermits<T>(work: (lease: Lease) => Promise<T> | T, options?: PermitOptions): Promise<T>
}

const permitsMax = 1_000_000

export function createSemaphore(
  driver: LockDriver,
  reception: Reception,
  settings: Settings,
  key: string,
  permits: number,
): Semaphore {
  checkKey('key', key)
  checkInteger('permits', permits, { min: 1, max: permitsMax })
  checkShares(driver)
  const request = (options: PermitOptions = {}, how: 'once' | 'wait') => {
    const { permits: weight = 1, ...rest } = options
    const wish = () => {
      checkInteger('permits', weight, { min: 1, max: permits })
      return { ...settings.wish(rest), share: { weight, capacity: permits } }
    }
    return reception.request(key, wish, how)
  }
  const acquire = (options?: PermitOptions) => request(options, 'wait') as Promise<Lease>
  return {
    key,
    permits,
    acquire,
    tryAcquire: (options) => request(options, 'once'),
    async withPermits(work, options) {
      const lease = await acquire(options)
      try {
        return await work(lease)
      } finally {
        await lease.release()
      }
    },
  }
}
