import assert from 'node:assert/strict'
import type { Rule } from '@headrace/core/testing'
import {
  batchOf,
  commitOne,
  eventRow,
  found,
  openLedger,
  outcomeOf,
  receiptRow,
  type StoreSubject,
  type StoreSupports,
  sealedLedger,
  stateRow,
} from './subject.ts'

const hostile = [
  '"',
  "'",
  '`',
  '\\',
  "'); DROP TABLE conformance_states; --",
  '$1',
  '%s',
  '%',
  '_',
  'null',
  ' ',
  ' k',
  'k ',
  'K',
  '\n',
  '\t',
  '{"json":1}',
  '\u0001',
  '\u007f',
  '\uffff',
  '\u{1f600}',
  'é',
  'e\u0301',
  'ß',
  'ss',
  '__proto__',
  'constructor',
  'x'.repeat(512),
  '\u{1f600}'.repeat(128),
]

export const committingRules: readonly Rule<StoreSubject, StoreSupports>[] = [
  {
    name: 'finds what was committed, and nothing of what was not',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      assert.equal(await commitOne(ledger, token, 'x'), 'committed')
      const { states, receipts } = await found(ledger, ['k', 'other'], ['x', 'unknown'])
      assert.deepEqual([states, receipts], [[stateRow('k')], [receiptRow('x')]])
      assert.deepEqual(await found(ledger, [], []), { states: [], receipts: [] })
    },
  },
  {
    name: 'replaces the state of a key',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await ledger.commit(batchOf(token, { states: [stateRow('k', 1, '"old"')], receipts: [receiptRow('x')] }))
      await ledger.commit(batchOf(token, { states: [stateRow('k', 2, '"new"')], receipts: [receiptRow('y', 'k', 2)] }))
      assert.deepEqual((await found(ledger, ['k'], [])).states, [stateRow('k', 2, '"new"')])
    },
  },
  {
    name: 'commits many keys and ids at once',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const names = Array.from({ length: 2_500 }, (_, at) => `name-${at}`)
      const states = names.map((name) => stateRow(name))
      const receipts = names.map((name) => receiptRow(name, name))
      const events = names.map((name) => eventRow(name, name))
      assert.equal((await ledger.commit(batchOf(token, { states, receipts, events }))).type, 'committed')
      const loaded = await found(ledger, names, names)
      assert.equal(new Set(loaded.states.map((row) => row.key)).size, 2_500)
      assert.equal(new Set(loaded.receipts.map((row) => row.id)).size, 2_500)
      assert.equal((await ledger.outbox(0, 5_000)).length, 2_500)
    },
  },
  {
    name: 'takes receipts without states: a refusal changes nothing',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      assert.equal((await ledger.commit(batchOf(token, { receipts: [receiptRow('x')] }))).type, 'committed')
      assert.deepEqual(await found(ledger, ['k'], ['x']), { states: [], receipts: [receiptRow('x')] })
    },
  },
  {
    name: 'answers a known id with its first receipt and writes nothing of the batch',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await commitOne(ledger, token, 'x')
      const again = batchOf(token, {
        states: [stateRow('k', 2), stateRow('other')],
        receipts: [receiptRow('fresh', 'other'), { ...receiptRow('x', 'k', 2), result: '"second"' }],
        events: [eventRow('second', 'k')],
      })
      assert.deepEqual(await outcomeOf(ledger, again), { type: 'known', receipts: [receiptRow('x')] })
      const { states, receipts } = await found(ledger, ['k', 'other'], ['x', 'fresh'])
      assert.deepEqual([states, receipts], [[stateRow('k')], [receiptRow('x')]])
      assert.deepEqual(
        (await ledger.outbox(0, 10)).map((event) => event.id),
        ['x/0'],
      )
    },
  },
  {
    name: 'tells all known ids of a batch, wherever they stand in it',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await commitOne(ledger, token, 'a')
      await commitOne(ledger, token, 'b', 'k', 2)
      const batch = ['1', 'a', '2', 'b', '3'].map((id) => receiptRow(id, 'k', 3))
      const outcome = await ledger.commit(batchOf(token, { receipts: batch }))
      assert.ok(outcome.type === 'known')
      assert.deepEqual(outcome.receipts.map((row) => row.id).toSorted(), ['a', 'b'])
    },
  },
  {
    name: 'knows an id in every partition and under every key',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await commitOne(ledger, token, 'x')
      const other = (await ledger.seal(1, null))!
      const outcome = await outcomeOf(
        ledger,
        batchOf(other, { partition: 1, receipts: [receiptRow('x', 'elsewhere')] }),
      )
      assert.deepEqual(outcome, { type: 'known', receipts: [receiptRow('x')] })
    },
  },
  {
    name: 'lets one of two commits with the same id at once win',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const other = await openLedger(store)
      const types = await Promise.all([commitOne(ledger, token, 'x'), commitOne(other, token, 'x')])
      assert.deepEqual(types.toSorted(), ['committed', 'known'])
      assert.equal((await ledger.outbox(0, 10)).length, 1)
    },
  },
  {
    name: 'keeps keys and ids of up to 512 bytes in any Unicode apart, and SQL in them harmless',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const states = hostile.map((name, at) => stateRow(name, at + 1, JSON.stringify({ name })))
      const receipts = hostile.map((name, at) => receiptRow(name, name, at + 1))
      const events = hostile.map((name) => ({ id: name, key: name, body: JSON.stringify(name) }))
      assert.equal((await ledger.commit(batchOf(token, { states, receipts, events }))).type, 'committed')
      const loaded = await found(ledger, hostile, hostile)
      assert.deepEqual(
        new Map(loaded.states.map((row) => [row.key, row])),
        new Map(states.map((row) => [row.key, row])),
      )
      assert.deepEqual(
        new Map(loaded.receipts.map((row) => [row.id, row])),
        new Map(receipts.map((row) => [row.id, row])),
      )
      const stored = await ledger.outbox(0, 1_000)
      assert.deepEqual(
        stored.map(({ id, key, body }) => ({ id, key, body })),
        events,
      )
    },
  },
  {
    name: 'keeps a NUL in a key and an id',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const names = ['k\u0000', 'k\u0000a', 'k\u0000b', '\u0000']
      const states = names.map((name, at) => stateRow(name, at + 1))
      const receipts = names.map((name, at) => receiptRow(name, name, at + 1))
      assert.equal((await ledger.commit(batchOf(token, { states, receipts }))).type, 'committed')
      const loaded = await found(ledger, [...names, 'k'], [...names, 'k'])
      assert.deepEqual(new Set(loaded.states.map((row) => row.key)), new Set(names))
      assert.deepEqual(new Set(loaded.receipts.map((row) => row.id)), new Set(names))
      assert.deepEqual(new Set(loaded.receipts.map((row) => row.key)), new Set(names))
    },
  },
  {
    name: 'keeps sequences up to 2^53 - 1',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const sequence = Number.MAX_SAFE_INTEGER
      assert.equal(await commitOne(ledger, token, 'x', 'k', sequence), 'committed')
      const { states, receipts } = await found(ledger, ['k'], ['x'])
      assert.deepEqual([states, receipts], [[stateRow('k', sequence)], [receiptRow('x', 'k', sequence)]])
    },
  },
  {
    name: 'keeps texts of a megabyte, and any Unicode in them, as they are',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const text = JSON.stringify({ text: `'"\\\u{1f600}\ud800 é`.repeat(60_000), number: 1e21, empty: '' })
      const state = stateRow('k', 1, text)
      const receipt = { ...receiptRow('x'), result: text }
      const event = { ...eventRow('e'), body: text }
      await ledger.commit(batchOf(token, { states: [state], receipts: [receipt], events: [event] }))
      const { states, receipts } = await found(ledger, ['k'], ['x'])
      const bodies = (await ledger.outbox(0, 1)).map((row) => row.body)
      const texts = [...states.map((row) => row.state), ...receipts.map((row) => row.result), ...bodies]
      // Not compared as a whole: the difference would fill the screen.
      assert.deepEqual(
        texts.map((each) => each === text),
        [true, true, true],
      )
    },
  },
]
