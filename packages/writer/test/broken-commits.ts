import type { Batch, Ledger, Store, StoredReceipt } from '@headrace/writer'

/** A mistake that somebody who writes a store can make, what it does to a ledger, and the rule that is there for it. */
export type Mistake = [mistake: string, change: (good: Ledger, store: Store) => Partial<Ledger>, rule: string]

/** Splits a batch into commits of their own. */
const inParts = (good: Ledger, parts: (batch: Batch) => Partial<Batch>[]): Ledger['commit'] => {
  return async (batch) => {
    for (const part of parts(batch)) {
      const outcome = await good.commit({ ...batch, states: [], receipts: [], events: [], ...part })
      if (outcome.type !== 'committed') return outcome
    }
    return { type: 'committed' }
  }
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

const fences = new WeakMap<Store, bigint>()

/** About fences, receipts and what a commit is. */
export const brokenCommits: readonly Mistake[] = [
  [
    'seals whatever it is given',
    (good) => {
      let last = 0n
      return {
        seal: async (partition, token) => good.seal(partition, token ?? ++last).then((sealed) => sealed ?? token),
      }
    },
    'seals a greater token and the same again, and refuses a smaller one',
  ],
  [
    'refuses the token that is in force',
    (good) => {
      const last = new Map<number, bigint | null>()
      return {
        async seal(partition, token) {
          if (token !== null && token === last.get(partition)) return null
          const sealed = await good.seal(partition, token)
          last.set(partition, sealed)
          return sealed
        },
      }
    },
    'seals a greater token and the same again, and refuses a smaller one',
  ],
  [
    'counts its own tokens from 1 for null',
    (good) => {
      let own = 0n
      return { seal: (partition, token) => good.seal(partition, token ?? ++own) }
    },
    'seals null as a token above every one before, and above 0',
  ],
  [
    'reads the fence and writes it later',
    (good, store) => ({
      async seal(partition, token) {
        const sealed = token ?? (fences.get(store) ?? 0n) + 1n
        await tick()
        fences.set(store, sealed)
        return good.seal(partition, sealed)
      },
    }),
    'gives two who seal null at once two tokens, and only the greater one commits',
  ],
  [
    'keeps tokens as doubles',
    (good) => ({
      seal: async (partition, token) => good.seal(partition, token === null ? null : BigInt(Number(token))),
      commit: (batch) => good.commit({ ...batch, token: BigInt(Number(batch.token)) }),
    }),
    'keeps tokens up to 2^63 - 1 apart',
  ],
  [
    'has one fence for all partitions',
    (good) => ({
      seal: (_, token) => good.seal(0, token),
      commit: (batch) => good.commit({ ...batch, partition: 0 }),
    }),
    'has one fence for each partition',
  ],
  [
    'does not check the fence',
    (good) => ({
      async commit(batch) {
        const token = await good
          .seal(batch.partition, batch.token)
          .then((sealed) => sealed ?? good.seal(batch.partition, null))
        return good.commit({ ...batch, token: token! })
      },
    }),
    'writes nothing of a commit with a smaller token',
  ],
  [
    'takes a greater token for its own',
    (good) => ({
      async commit(batch) {
        await good.seal(batch.partition, batch.token)
        return good.commit(batch)
      },
    }),
    'writes nothing of a commit with a token that was never sealed',
  ],
  [
    'looks ids up before the fence',
    (good) => ({
      async commit(batch) {
        const { receipts } = await good.load(
          [],
          batch.receipts.map((row) => row.id),
        )
        return receipts.length > 0 ? { type: 'known', receipts } : good.commit(batch)
      },
    }),
    'tells a sealed-out commit so even where its ids are known',
  ],
  [
    'checks the fence, and writes in a second transaction',
    (good, store) => ({
      async commit(batch) {
        const outcome = await good.commit({ ...batch, states: [], receipts: [], events: [] })
        if (outcome.type === 'stale') return outcome
        for (let turn = 0; turn < 3; turn++) await tick()
        const token = (await (await store.open('conformance', 4)).seal(batch.partition, null))!
        return good.commit({ ...batch, token })
      },
    }),
    'lets a commit that races a seal take effect before it as a whole, or not at all',
  ],
  [
    'writes states first',
    (good) => ({ commit: inParts(good, ({ states, ...rest }) => [{ states }, rest]) }),
    'answers a known id with its first receipt and writes nothing of the batch',
  ],
  [
    'writes events first',
    (good) => ({ commit: inParts(good, ({ events, ...rest }) => [{ events }, rest]) }),
    'answers a known id with its first receipt and writes nothing of the batch',
  ],
  [
    'writes one receipt after the other',
    (good) => ({
      commit: inParts(good, ({ receipts, ...rest }) => [...receipts.map((row) => ({ receipts: [row] })), rest]),
    }),
    'answers a known id with its first receipt and writes nothing of the batch',
  ],
  [
    'overwrites a receipt',
    (good) => {
      const latest = new Map<string, StoredReceipt>()
      return {
        async commit(batch) {
          const outcome = await good.commit(batch)
          if (outcome.type === 'stale') return outcome
          for (const row of batch.receipts) latest.set(row.id, row)
          return { type: 'committed' }
        },
        load: async (keys, ids) => ({
          ...(await good.load(keys, [])),
          receipts: ids.flatMap((id) => latest.get(id) ?? []),
        }),
      }
    },
    'answers a known id with its first receipt and writes nothing of the batch',
  ],
  [
    'tells the first known id only',
    (good) => ({
      async commit(batch) {
        const outcome = await good.commit(batch)
        return outcome.type === 'known' ? { ...outcome, receipts: outcome.receipts.slice(0, 1) } : outcome
      },
    }),
    'tells all known ids of a batch, wherever they stand in it',
  ],
  [
    'gives back the receipts of the batch as known',
    (good) => ({
      async commit(batch) {
        const outcome = await good.commit(batch)
        return outcome.type === 'known' ? { ...outcome, receipts: batch.receipts } : outcome
      },
    }),
    'answers a known id with its first receipt and writes nothing of the batch',
  ],
  [
    'knows ids per key',
    (good) => {
      const inner = (row: StoredReceipt): StoredReceipt => ({ ...row, id: `${row.key}/${row.id}` })
      return {
        async commit(batch) {
          const outcome = await good.commit({ ...batch, receipts: batch.receipts.map(inner) })
          return outcome.type === 'known' ? { type: 'known', receipts: batch.receipts } : outcome
        },
      }
    },
    'knows an id in every partition and under every key',
  ],
  [
    'looks ids up, and inserts later',
    (good, store) => ({
      async commit(batch) {
        const { receipts } = await good.load(
          [],
          batch.receipts.map((row) => row.id),
        )
        await tick()
        if (receipts.length > 0) return { type: 'known', receipts }
        const blind = await store.open('conformance', 4)
        return blind.commit({ ...batch, receipts: [] })
      },
    }),
    'lets one of two commits with the same id at once win',
  ],
]
