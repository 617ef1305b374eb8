import assert from 'node:assert/strict'
import { isHeadraceError } from '@headrace/core'
import type { Rule } from '@headrace/core/testing'
import {
  commitOne,
  found,
  openLedger,
  receiptRow,
  type StoreSubject,
  type StoreSupports,
  sealedLedger,
  stateRow,
} from './subject.ts'

export const openingRules: readonly Rule<StoreSubject, StoreSupports>[] = [
  {
    name: 'opens a writer again with the same number of partitions',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      assert.equal(await commitOne(ledger, token, 'x'), 'committed')
      assert.deepEqual((await found(await openLedger(store), ['k'], [])).states, [stateRow('k')])
    },
  },
  {
    name: 'refuses another number of partitions as REJECTED, and still opens with the right one',
    async check({ store }) {
      await openLedger(store, 'w', 4)
      await assert.rejects(openLedger(store, 'w', 5), (error) => isHeadraceError(error, 'REJECTED'))
      await openLedger(store, 'w', 4)
      await openLedger(store, 'v', 5)
    },
  },
  {
    name: 'refuses a name that is no writer name',
    async check({ store }) {
      for (const name of ['', '1st', 'a b', 'a"b', "a'b", 'a;b', 'n'.repeat(49)]) {
        await assert.rejects(openLedger(store, name), RangeError, `the name ${JSON.stringify(name)} was taken`)
      }
    },
  },
  {
    name: 'keeps writers of different names apart, also where the names differ in case only',
    async check({ store }) {
      const names = ['sale', 'Sale', 'SALE', 'sale_states', 'sqlite', 'Sqlite', 'pg_class', 'select', 'n'.repeat(48)]
      for (const [at, name] of names.entries()) {
        const ledger = await openLedger(store, name)
        assert.deepEqual(await found(ledger, ['k'], ['x']), { states: [], receipts: [] }, `"${name}" is not empty`)
        const token = await ledger.seal(0, BigInt(at + 1))
        assert.equal(token, BigInt(at + 1), `"${name}" has the fence of another writer`)
        assert.equal(await commitOne(ledger, token, 'x', 'k', at + 1), 'committed')
      }
      for (const [at, name] of names.entries()) {
        const { states } = await found(await openLedger(store, name), ['k'], [])
        assert.deepEqual(states, [stateRow('k', at + 1)])
      }
    },
  },
  {
    name: 'lets two ledgers of one writer see each other',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const other = await openLedger(store)
      assert.equal(await commitOne(ledger, token, 'x'), 'committed')
      const { states, receipts } = await found(other, ['k'], ['x'])
      assert.deepEqual([states, receipts], [[stateRow('k')], [receiptRow('x')]])
      const newer = (await other.seal(0, null))!
      assert.equal(await commitOne(ledger, token, 'y'), 'stale')
      assert.equal(await commitOne(other, newer, 'x'), 'known')
    },
  },
  {
    name: 'closes twice, and one ledger without the others',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const other = await openLedger(store)
      await other.close()
      await other.close()
      assert.equal(await commitOne(ledger, token, 'x'), 'committed')
      await ledger.close()
    },
  },
  {
    name: 'keeps fences, states, receipts and events over a close',
    needs: (supports) => supports.durable,
    async check({ store, reopen }) {
      assert.ok(reopen, 'a durable store is tested with reopen')
      const { ledger, token } = await sealedLedger(store)
      assert.equal(await commitOne(ledger, token, 'x'), 'committed')
      await ledger.close()
      const again = await openLedger(await reopen())
      assert.deepEqual(await found(again, ['k'], ['x']), { states: [stateRow('k')], receipts: [receiptRow('x')] })
      assert.deepEqual(
        (await again.outbox(0, 10)).map((event) => event.id),
        ['x/0'],
      )
      assert.equal(await again.seal(0, token - 1n), null)
      assert.equal(await again.seal(0, null), token + 1n)
      await again.close()
    },
  },
  {
    name: 'remembers the number of partitions over a close',
    needs: (supports) => supports.durable,
    async check({ store, reopen }) {
      await (await openLedger(store, 'w', 4)).close()
      const again = await reopen!()
      await assert.rejects(openLedger(again, 'w', 1), (error) => isHeadraceError(error, 'REJECTED'))
    },
  },
]
