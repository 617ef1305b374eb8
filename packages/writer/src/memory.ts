import type { Batch, Ledger, Store, StoredEvent, StoredReceipt, StoredState } from './store.ts'

/** A store that lives and dies with this process, for tests and for trying things out. It keeps everything it is given. */
export function memoryStore(): Store {
  const tables = new Map<string, Tables>()
  return {
    async open(name) {
      const found = tables.get(name) ?? {
        fences: new Map(),
        states: new Map(),
        receipts: new Map(),
        events: [],
        relayed: 0,
      }
      tables.set(name, found)
      return ledgerOf(found)
    },
  }
}

interface Tables {
  readonly fences: Map<number, bigint>
  readonly states: Map<string, StoredState>
  readonly receipts: Map<string, StoredReceipt>
  readonly events: StoredEvent[]
  relayed: number
}

function ledgerOf(tables: Tables): Ledger {
  const { fences, states, receipts, events } = tables
  return {
    async seal(partition, token) {
      const last = fences.get(partition) ?? 0n
      if (token !== null && token < last) return null
      const sealed = token ?? last + 1n
      fences.set(partition, sealed)
      return sealed
    },
    async load(keys, ids) {
      return { states: present(states, keys), receipts: present(receipts, ids) }
    },
    async commit(batch: Batch) {
      if (fences.get(batch.partition) !== batch.token) return { type: 'stale' }
      const known = present(
        receipts,
        batch.receipts.map((receipt) => receipt.id),
      )
      if (known.length > 0) return { type: 'known', receipts: known }
      for (const state of batch.states) states.set(state.key, state)
      for (const receipt of batch.receipts) receipts.set(receipt.id, receipt)
      for (const event of batch.events) events.push({ ...event, position: events.length + 1 })
      return { type: 'committed' }
    },
    async events(after, limit) {
      return events.slice(after, after + limit)
    },
    async relayed() {
      return tables.relayed
    },
    async markRelayed(position) {
      tables.relayed = Math.max(tables.relayed, position)
    },
    async close() {},
  }
}

function present<Row>(table: ReadonlyMap<string, Row>, names: readonly string[]): Row[] {
  return names.flatMap((name) => table.get(name) ?? [])
}
