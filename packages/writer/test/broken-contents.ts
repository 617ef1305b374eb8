import type { Mistake } from './broken-commits.ts'

/** About what is kept, and the outbox. */
export const brokenContents: readonly Mistake[] = [
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
