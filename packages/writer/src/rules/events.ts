import assert from 'node:assert/strict'
import type { Rule } from '@headrace/core/testing'
import type { Ledger } from '../store.ts'
import { batchOf, eventRow, type StoreSubject, type StoreSupports, sealedLedger } from './subject.ts'

const commitEvents = (ledger: Ledger, token: bigint, ids: readonly string[], partition = 0) =>
  ledger.commit(batchOf(token, { partition, events: ids.map((id) => eventRow(id)) }))

const idsOf = async (ledger: Ledger, partition = 0, limit = 10) =>
  (await ledger.outbox(partition, limit)).map((event) => event.id)

export const eventRules: readonly Rule<StoreSubject, StoreSupports>[] = [
  {
    name: 'hands events out in the order of their commits, the oldest first, at most as many as asked for',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await commitEvents(ledger, token, ['z', 'a'])
      await commitEvents(ledger, token, ['m'])
      assert.deepEqual(await idsOf(ledger), ['z', 'a', 'm'])
      assert.deepEqual(await idsOf(ledger, 0, 2), ['z', 'a'])
      const positions = (await ledger.outbox(0, 10)).map((event) => event.position)
      assert.deepEqual(
        positions,
        positions.toSorted((a, b) => a - b),
      )
      assert.equal(new Set(positions).size, 3)
    },
  },
  {
    name: 'has one outbox for each partition',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const other = (await ledger.seal(2, null))!
      await commitEvents(ledger, token, ['zero'])
      await commitEvents(ledger, other, ['two'], 2)
      const [event] = await ledger.outbox(2, 10)
      await ledger.published(2, event!.position)
      assert.deepEqual([await idsOf(ledger), await idsOf(ledger, 2), await idsOf(ledger, 1)], [['zero'], [], []])
    },
  },
  {
    name: 'forgets events up to a position, and none after it; twice is once',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await commitEvents(ledger, token, ['a', 'b', 'c'])
      const { position } = (await ledger.outbox(0, 10))[1]!
      await ledger.published(0, position)
      await ledger.published(0, position)
      assert.deepEqual(await idsOf(ledger), ['c'])
    },
  },
  {
    name: 'never uses a position again, so that a late call forgets nothing new',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await commitEvents(ledger, token, ['a', 'b'])
      const last = (await ledger.outbox(0, 10)).at(-1)!.position
      await ledger.published(0, last)
      await commitEvents(ledger, token, ['c'])
      await ledger.published(0, last)
      assert.deepEqual(await idsOf(ledger), ['c'])
      assert.ok((await ledger.outbox(0, 10))[0]!.position > last)
    },
  },
  {
    name: 'never uses a position again, also when it was closed with an empty outbox',
    needs: (supports) => supports.durable,
    async check({ store, reopen }) {
      const { ledger, token } = await sealedLedger(store)
      await commitEvents(ledger, token, ['a', 'b'])
      const last = (await ledger.outbox(0, 10)).at(-1)!.position
      await ledger.published(0, last)
      await ledger.close()
      const again = await sealedLedger(await reopen!())
      await commitEvents(again.ledger, again.token, ['c'])
      await again.ledger.published(0, last)
      assert.deepEqual(await idsOf(again.ledger), ['c'])
      await again.ledger.close()
    },
  },
  {
    name: 'keeps the events of a batch for the next owner',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await commitEvents(ledger, token, ['a'])
      await ledger.seal(0, null)
      assert.deepEqual(await idsOf(ledger), ['a'])
    },
  },
]
