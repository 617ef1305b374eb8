import { HeadraceError } from '@headrace/core'
import type { Ledger, Store, StoredEvent, StoredReceipt, StoredState } from './store.ts'
import { checkWriterName } from './store.ts'

/** A store that lives and dies with this process, for tests and for trying things out. It keeps everything it is given. */
export function memoryStore(): Store {
  const writers = new Map<string, Tables>()
  return {
    async open(name, partitions) {
      checkWriterName(name)
      const tables = writers.get(name) ?? emptyTables(partitions)
      if (tables.partitions !== partitions) {
        throw new HeadraceError('REJECTED', `writer "${name}" has ${tables.partitions} partitions, not ${partitions}`)
      }
      writers.set(name, tables)
      return ledgerOf(tables)
    },
  }
}

interface Tables {
  readonly partitions: number
  readonly fences: Map<number, bigint>
  readonly states: Map<string, StoredState>
  readonly receipts: Map<string, StoredReceipt>
  readonly events: Map<number, StoredEvent[]>
  position: number
}

const emptyTables = (partitions: number): Tables => ({
  partitions,
  fences: new Map(),
  states: new Map(),
  receipts: new Map(),
  events: new Map(),
  position: 0,
})

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
    async commit(batch) {
      if (fences.get(batch.partition) !== batch.token) return { type: 'stale' }
      const known = batch.receipts.flatMap((receipt) => receipts.get(receipt.id) ?? [])
      if (known.length > 0) return { type: 'known', receipts: known }
      for (const state of batch.states) states.set(state.key, state)
      for (const receipt of batch.receipts) receipts.set(receipt.id, receipt)
      const outbox = events.get(batch.partition) ?? []
      for (const event of batch.events) outbox.push({ ...event, position: ++tables.position })
      events.set(batch.partition, outbox)
      return { type: 'committed' }
    },
    async outbox(partition, limit) {
      return (events.get(partition) ?? []).slice(0, limit)
    },
    async published(partition, position) {
      events.set(
        partition,
        (events.get(partition) ?? []).filter((event) => event.position > position),
      )
    },
    async close() {},
  }
}

function present<Row>(table: ReadonlyMap<string, Row>, names: readonly string[]): Row[] {
  return names.flatMap((name) => table.get(name) ?? [])
}
