import { brokenRules } from '@headrace/core/testing'
import type { Batch, Ledger, Store, StoredReceipt } from '@headrace/writer'
import { storeConformance, storeRules } from '@headrace/writer/conformance'
import { memoryStore } from '@headrace/writer/memory'
import { sqliteStore } from '@headrace/writer/sqlite'
import { describe, expect, it } from 'vitest'
import { tempFile } from './temp-file.ts'

describe('memory', () => {
  storeConformance({ test: it, create: () => ({ subject: { store: memoryStore() } }), supports: { durable: false } })
})

describe('sqlite', () => {
  storeConformance({
    test: it,
    supports: { durable: true },
    create() {
      const file = tempFile()
      return { subject: { store: sqliteStore(file.path), reopen: () => sqliteStore(file.path) }, close: file.remove }
    },
  })
})

/** A memory store of which the ledgers are changed; each rule gets a fresh one. */
const broken = (change: (good: Ledger, store: Store) => Partial<Ledger>) => () => {
  const store = memoryStore()
  const worse: Store = {
    async open(name, partitions) {
      const good = await store.open(name, partitions)
      return { ...good, ...change(good, store) }
    },
  }
  return { subject: { store: worse, reopen: () => worse } }
}

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

/** Each is a mistake that somebody who writes a store can make, and the rule that is there for it. */
const mistakes: [mistake: string, change: (good: Ledger, store: Store) => Partial<Ledger>, rule: string][] = [
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
  [
    'drops receipts of writes that change nothing',
    (good) => ({
      commit: (batch) => good.commit(batch.states.length > 0 ? batch : { ...batch, receipts: [] }),
    }),
    'takes receipts without states: a refusal changes nothing',
  ],
  [
    'keeps the first state of a key',
    (good) => ({
      async commit(batch) {
        const { states } = await good.load(
          batch.states.map((row) => row.key),
          [],
        )
        const known = new Set(states.map((row) => row.key))
        return good.commit({ ...batch, states: batch.states.filter((row) => !known.has(row.key)) })
      },
    }),
    'replaces the state of a key',
  ],
  [
    'takes no more than a thousand rows',
    (good) => ({
      load: (keys, ids) => good.load(keys.slice(0, 1_000), ids.slice(0, 1_000)),
    }),
    'commits many keys and ids at once',
  ],
  [
    'compares keys without case',
    (good) => ({
      commit: (batch) =>
        good.commit({ ...batch, states: batch.states.map((row) => ({ ...row, key: row.key.toLowerCase() })) }),
    }),
    'keeps keys and ids of up to 512 bytes in any Unicode apart, and SQL in them harmless',
  ],
  [
    'normalises Unicode',
    (good) => ({
      commit: (batch) =>
        good.commit({ ...batch, receipts: batch.receipts.map((row) => ({ ...row, id: row.id.normalize() })) }),
    }),
    'keeps keys and ids of up to 512 bytes in any Unicode apart, and SQL in them harmless',
  ],
  [
    'cuts keys at 255 characters',
    (good) => ({
      commit: (batch) =>
        good.commit({ ...batch, states: batch.states.map((row) => ({ ...row, key: row.key.slice(0, 255) })) }),
    }),
    'keeps keys and ids of up to 512 bytes in any Unicode apart, and SQL in them harmless',
  ],
  [
    'ends a text at NUL',
    (good) => ({
      commit: (batch) =>
        good.commit({ ...batch, states: batch.states.map((row) => ({ ...row, key: row.key.split('\0')[0]! })) }),
    }),
    'keeps a NUL in a key and an id',
  ],
  [
    'counts in 32 bits',
    (good) => ({
      commit: (batch) =>
        good.commit({ ...batch, states: batch.states.map((row) => ({ ...row, sequence: row.sequence | 0 })) }),
    }),
    'keeps sequences up to 2^53 - 1',
  ],
  [
    'cuts long texts',
    (good) => ({
      commit: (batch) =>
        good.commit({ ...batch, states: batch.states.map((row) => ({ ...row, state: row.state.slice(0, 65_535) })) }),
    }),
    'keeps texts of a megabyte, and any Unicode in them, as they are',
  ],
  [
    'hands events out without a limit',
    (good) => ({ outbox: (partition) => good.outbox(partition, 1_000_000) }),
    'hands events out in the order of their commits, the oldest first, at most as many as asked for',
  ],
  [
    'hands events out sorted by id',
    (good) => ({
      outbox: async (partition, limit) =>
        (await good.outbox(partition, limit)).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    }),
    'hands events out in the order of their commits, the oldest first, at most as many as asked for',
  ],
  [
    'has one outbox for all partitions',
    (good) => ({
      outbox: async (_, limit) => (await Promise.all([0, 1, 2, 3].map((each) => good.outbox(each, limit)))).flat(),
    }),
    'has one outbox for each partition',
  ],
  [
    'forgets the whole outbox',
    (good) => ({ published: (partition) => good.published(partition, Number.MAX_SAFE_INTEGER) }),
    'forgets events up to a position, and none after it; twice is once',
  ],
  [
    'forgets the events before a position only',
    (good) => ({ published: (partition, position) => good.published(partition, position - 1) }),
    'forgets events up to a position, and none after it; twice is once',
  ],
  [
    'numbers what is in the outbox from 1',
    (good) => ({
      outbox: async (partition, limit) =>
        (await good.outbox(partition, limit)).map((event, at) => ({ ...event, position: at + 1 })),
      async published(partition, position) {
        const event = (await good.outbox(partition, position)).at(-1)
        if (event) await good.published(partition, event.position)
      },
    }),
    'never uses a position again, so that a late call forgets nothing new',
  ],
  [
    'drops the events of an earlier owner',
    (good) => ({
      async seal(partition, token) {
        await good.published(partition, Number.MAX_SAFE_INTEGER)
        return good.seal(partition, token)
      },
    }),
    'keeps the events of a batch for the next owner',
  ],
  [
    'reports what it does not have',
    (good) => ({
      load: async (keys, ids) => ({
        ...(await good.load(keys, ids)),
        states: keys.map((key) => ({ key, sequence: 0, state: 'null' })),
      }),
    }),
    'finds what was committed, and nothing of what was not',
  ],
]

/** Mistakes in how a store is opened and closed. */
const openings: [mistake: string, store: () => Store, rule: string][] = [
  [
    'forgets how many partitions there are',
    () => {
      const good = memoryStore()
      return { open: (name) => good.open(name, 1) }
    },
    'refuses another number of partitions as REJECTED, and still opens with the right one',
  ],
  [
    'refuses another number of partitions with an error of its own',
    () => {
      const good = memoryStore()
      return {
        open: (name, partitions) =>
          good.open(name, partitions).catch(() => {
            throw new Error('wrong number')
          }),
      }
    },
    'refuses another number of partitions as REJECTED, and still opens with the right one',
  ],
  [
    'takes any name',
    () => {
      const good = memoryStore()
      return { open: (name, partitions) => good.open(`n${Buffer.from(name).toString('hex').slice(0, 40)}`, partitions) }
    },
    'refuses a name that is no writer name',
  ],
  [
    'names its tables without case',
    () => {
      const good = memoryStore()
      return { open: (name, partitions) => good.open(name.toLowerCase(), partitions) }
    },
    'keeps writers of different names apart, also where the names differ in case only',
  ],
  [
    'makes its tables anew whenever it is opened',
    () => {
      let good = memoryStore()
      return {
        open(name, partitions) {
          good = memoryStore()
          return good.open(name, partitions)
        },
      }
    },
    'opens a writer again with the same number of partitions',
  ],
  [
    'starts empty for every ledger',
    () => ({ open: (name, partitions) => memoryStore().open(name, partitions) }),
    'lets two ledgers of one writer see each other',
  ],
  [
    'closes the store with one of its ledgers',
    () => {
      const good = memoryStore()
      let closed = false
      return {
        async open(name, partitions) {
          const ledger = await good.open(name, partitions)
          return {
            ...ledger,
            async close() {
              closed = true
            },
            commit: (batch) => (closed ? Promise.reject(new Error('closed')) : ledger.commit(batch)),
          }
        },
      }
    },
    'closes twice, and one ledger without the others',
  ],
  [
    'fails at the second close',
    () => {
      const good = memoryStore()
      return {
        async open(name, partitions) {
          let closes = 0
          const close = async () => {
            if (++closes > 1) throw new Error('not open')
          }
          return { ...(await good.open(name, partitions)), close }
        },
      }
    },
    'closes twice, and one ledger without the others',
  ],
]

describe('the suite catches a store that', () => {
  it.each(mistakes)('%s', async (_, change, rule) => {
    expect(await brokenRules(storeRules, { create: broken(change), supports: { durable: false } })).toContain(rule)
  })

  it.each(openings)('%s', async (_, create, rule) => {
    const options = { create: () => ({ subject: { store: create() } }), supports: { durable: false } }
    expect(await brokenRules(storeRules, options)).toContain(rule)
  })

  it('is empty after it was closed, though it says that it is durable', async () => {
    const create = () => ({ subject: { store: memoryStore(), reopen: () => memoryStore() } })
    expect(await brokenRules(storeRules, { create, supports: { durable: true } })).toEqual([
      'keeps fences, states, receipts and events over a close',
      'remembers the number of partitions over a close',
      'never uses a position again, also when it was closed with an empty outbox',
    ])
  })
})

it('every rule catches something', () => {
  const rules = new Set([...mistakes, ...openings].map(([, , rule]) => rule))
  const durable = storeRules.filter((rule) => rule.needs).map((rule) => rule.name)
  const caught = [...rules, ...durable]
  expect(storeRules.map((rule) => rule.name).filter((name) => !caught.includes(name))).toEqual([])
})
