import assert from 'node:assert/strict'
import type { Batch, CommitOutcome, Ledger, Loaded, NewEvent, Store, StoredReceipt, StoredState } from '../store.ts'

/** What a store's test file hands to the rules. */
export interface StoreSubject {
  readonly store: Store
  /** A second store on the same data, as another process makes one. Needed where `supports.durable`. */
  reopen?(): Store | Promise<Store>
}

export interface StoreSupports {
  /** The data outlives the store: `reopen` finds it again. */
  readonly durable: boolean
}

export const writerName = 'conformance'

export const openLedger = (store: Store, name: string = writerName, partitions = 4): Promise<Ledger> =>
  store.open(name, partitions)

/** A ledger in which partition 0 is sealed. */
export async function sealedLedger(store: Store): Promise<{ ledger: Ledger; token: bigint }> {
  const ledger = await openLedger(store)
  const token = await ledger.seal(0, null)
  assert.ok(token !== null, 'seal(null) gives a token')
  return { ledger, token }
}

export const stateRow = (key: string, sequence = 1, state = '{"n":1}'): StoredState => ({ key, sequence, state })

export const receiptRow = (id: string, key = 'k', sequence = 1): StoredReceipt => ({
  id,
  key,
  sequence,
  fingerprint: `fingerprint of ${id.length}`,
  result: '{"done":true}',
})

export const eventRow = (id: string, key = 'k'): NewEvent => ({ id, key, body: `{"of":"${id}"}` })

/** A batch of partition 0 with nothing in it but what is given. */
export const batchOf = (token: bigint, rows: Partial<Omit<Batch, 'token'>> = {}): Batch => ({
  ...{ partition: 0, token, states: [], receipts: [], events: [] },
  ...rows,
})

/** What `load` finds, as plain rows: what else a driver's rows carry does not matter. */
export async function found(ledger: Ledger, keys: readonly string[], ids: readonly string[]): Promise<Loaded> {
  const { states, receipts } = await ledger.load(keys, ids)
  return {
    states: states.map(({ key, sequence, state }) => ({ key, sequence, state })),
    receipts: receipts.map(plainReceipt),
  }
}

/** What a commit came to, as plain rows. */
export async function outcomeOf(ledger: Ledger, batch: Batch): Promise<CommitOutcome> {
  const outcome = await ledger.commit(batch)
  return outcome.type === 'known' ? { ...outcome, receipts: outcome.receipts.map(plainReceipt) } : outcome
}

const plainReceipt = ({ id, key, sequence, fingerprint, result }: StoredReceipt): StoredReceipt => ({
  ...{ id, key, sequence, fingerprint, result },
})

/** Commits one write of `key`, with the id, and says what came of it. */
export async function commitOne(ledger: Ledger, token: bigint, id: string, key = 'k', sequence = 1): Promise<string> {
  const outcome = await ledger.commit(
    batchOf(token, {
      states: [stateRow(key, sequence)],
      receipts: [receiptRow(id, key, sequence)],
      events: [eventRow(`${id}/0`, key)],
    }),
  )
  return outcome.type
}

/** That nothing of what `commitOne` writes is there. */
export async function assertNothing(ledger: Ledger, id: string, key = 'k'): Promise<void> {
  assert.deepEqual(await found(ledger, [key], [id]), { states: [], receipts: [] })
  const events = await ledger.outbox(0, 10)
  assert.ok(!events.some((event) => event.id === `${id}/0`), 'an event of a refused batch is in the outbox')
}
