import type { Lease } from '@headrace/lock'

/** Why a lease is lost, when it is. */
export const lost = (lease: Lease): Promise<unknown> =>
  new Promise((resolve) => {
    if (lease.signal.aborted) resolve(lease.signal.reason)
    lease.signal.addEventListener('abort', () => resolve(lease.signal.reason))
  })
