import { type Clock, HeadraceError, within } from '@headrace/core'
import type { Lease, Locks } from '@headrace/lock'
import { BoundedMap } from './bounded-map.ts'
import type { KnownState } from './known-state.ts'
import type { Ledger } from './store.ts'

/** One stretch of ownership of a partition. What it knows of the states is true only as long as its token is in force. */
export interface Term<State> {
  readonly token: bigint
  readonly ledger: Ledger
  readonly states: BoundedMap<KnownState<State>>
}

export interface Ownership<State> {
  /**
   * The term in force, or a new one: takes the lease, then seals its token in the store, so that nothing an earlier owner
   * has sent can still be committed once the states are read.
   * @throws what the lock or the store threw; HeadraceError `STALE` where the store has seen a greater token than the lock gives.
   */
  term(signal: AbortSignal): Promise<Term<State>>
  /** Ends the term, so that the next has a greater token. */
  forfeit(): void
  close(): Promise<void>
}

export function createOwnership<State>(options: {
  readonly partition: number
  readonly lockKey: string
  readonly openLedger: () => Promise<Ledger>
  readonly locks: Locks | undefined
  readonly storeTimeoutMs: number
  readonly statesMax: number
  readonly clock: Clock
  readonly began: (term: Term<State>) => void
}): Ownership<State> {
  const { partition, lockKey, openLedger, locks, storeTimeoutMs, statesMax, clock, began } = options
  let current: { readonly term: Term<State>; readonly lease: Lease | undefined } | undefined
  // A lease goes back in the background, and the next term waits for that: the lock would refuse it otherwise.
  let returning: Promise<unknown> = Promise.resolve()

  function giveBack(lease: Lease | undefined): void {
    if (lease) returning = lease.release().catch(() => false)
  }

  function forfeit(): void {
    giveBack(current?.lease)
    current = undefined
  }

  return {
    async term(signal) {
      if (current && (current.lease?.held ?? true)) return current.term
      forfeit()
      const ledger = await openLedger()
      await returning
      const lease = await locks?.acquire(lockKey, { signal })
      try {
        // A lock without fencing tokens says 0: then the store makes one, and fences as well.
        const token = await within(clock, storeTimeoutMs, ledger.seal(partition, lease?.token || null), {
          signal,
          what: 'sealing the fencing token',
        })
        if (token === null) {
          throw new HeadraceError(
            'STALE',
            `the store has seen a greater fencing token than ${lease?.token} of "${lockKey}"`,
          )
        }
        const term: Term<State> = { token, ledger, states: new BoundedMap(statesMax) }
        current = { term, lease }
        began(term)
        return term
      } catch (error) {
        giveBack(lease)
        throw error
      }
    },
    forfeit,
    async close() {
      forfeit()
      await returning
    },
  }
}
