import { AsyncLocalStorage } from 'node:async_hooks'
import { HeadraceError } from '@headrace/core'
import type { Lease } from './lease.ts'
import type { AcquireOptions, Wish } from './options.ts'

/** What the surrounding calls of `withLock` hold, in this async context. */
interface Scope {
  readonly leases: readonly Lease[]
  readonly mode: AcquireOptions['mode']
  readonly outer: Scope | undefined
}

export interface Reentrancy {
  /** The lease of the key that the surrounding context holds, for somebody who asks for it again. */
  borrow(key: string, wish: Wish): Lease | undefined
  within<T>(leases: readonly Lease[], mode: AcquireOptions['mode'], work: () => Promise<T> | T): Promise<T> | T
}

export function createReentrancy(): Reentrancy {
  const scopes = new AsyncLocalStorage<Scope>()
  return {
    borrow(key, { share }) {
      for (let scope = scopes.getStore(); scope; scope = scope.outer) {
        // Work that was detached from its `withLock` outlives it; what that has given back cannot be borrowed.
        const found = scope.leases.find((lease) => lease.key === key && lease.held)
        if (!found) continue
        if (scope.mode === 'shared' && !share)
          throw new HeadraceError(
            'REJECTED',
            `"${key}" is held shared here: two that upgraded would wait for each other`,
          )
        return borrowed(found)
      }
      return undefined
    },
    within: (leases, mode, work) => scopes.run({ leases, mode, outer: scopes.getStore() }, work),
  }
}

/** The same lease for an inner user, who cannot give it back; it ends with the outer one. */
function borrowed(lease: Lease): Lease {
  let released: Promise<boolean> | undefined
  const free = () => released === undefined
  const release = () => {
    released ??= Promise.resolve(lease.held)
    return released
  }
  return {
    key: lease.key,
    token: lease.token,
    get held() {
      return free() && lease.held
    },
    get remainingMs() {
      return free() ? lease.remainingMs : 0
    },
    get signal() {
      return lease.signal
    },
    get wanted() {
      return lease.wanted
    },
    async guard(work) {
      if (!free()) throw new HeadraceError('LOST', `the lease on "${lease.key}" was released`)
      return await lease.guard(work)
    },
    release,
    async [Symbol.asyncDispose]() {
      await release()
    },
  }
}
