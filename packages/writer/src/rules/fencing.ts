import assert from 'node:assert/strict'
import type { Rule } from '@headrace/core/testing'
import {
  assertNothing,
  batchOf,
  commitOne,
  found,
  openLedger,
  type StoreSubject,
  type StoreSupports,
  sealedLedger,
} from './subject.ts'

export const fencingRules: readonly Rule<StoreSubject, StoreSupports>[] = [
  {
    name: 'seals a greater token and the same again, and refuses a smaller one',
    async check({ store }) {
      const ledger = await openLedger(store)
      assert.equal(await ledger.seal(0, 5n), 5n)
      assert.equal(await ledger.seal(0, 5n), 5n)
      assert.equal(await ledger.seal(0, 4n), null)
      assert.equal(await ledger.seal(0, 7n), 7n)
      assert.equal(await ledger.seal(0, 6n), null)
      assert.equal(await commitOne(ledger, 7n, 'x'), 'committed')
    },
  },
  {
    name: 'seals null as a token above every one before, and above 0',
    async check({ store }) {
      const ledger = await openLedger(store)
      const first = await ledger.seal(0, null)
      assert.ok(first! > 0n)
      await ledger.seal(0, 90n)
      const second = await ledger.seal(0, null)
      assert.ok(second! > 90n)
      assert.equal(await ledger.seal(0, 90n), null)
    },
  },
  {
    name: 'gives two who seal null at once two tokens, and only the greater one commits',
    async check({ store }) {
      const ledgers = await Promise.all([openLedger(store), openLedger(store)])
      const [a, b] = await Promise.all(ledgers.map((ledger) => ledger.seal(0, null)))
      assert.ok(a! !== b!)
      const [less, greater] = a! < b! ? [a!, b!] : [b!, a!]
      assert.equal(await commitOne(ledgers[0]!, less, 'x'), 'stale')
      assert.equal(await commitOne(ledgers[0]!, greater, 'y'), 'committed')
    },
  },
  {
    name: 'keeps tokens up to 2^63 - 1 apart',
    async check({ store }) {
      const ledger = await openLedger(store)
      const greatest = 2n ** 63n - 1n
      assert.equal(await ledger.seal(0, greatest - 1n), greatest - 1n)
      assert.equal(await ledger.seal(0, greatest), greatest)
      assert.equal(await ledger.seal(0, greatest - 1n), null)
      assert.equal(await commitOne(ledger, greatest - 1n, 'x'), 'stale')
      assert.equal(await commitOne(ledger, greatest, 'x'), 'committed')
    },
  },
  {
    name: 'has one fence for each partition',
    async check({ store }) {
      const ledger = await openLedger(store)
      await ledger.seal(0, 9n)
      assert.equal(await ledger.seal(3, 1n), 1n)
      assert.equal((await ledger.commit(batchOf(1n, { partition: 3 }))).type, 'committed')
      assert.equal((await ledger.commit(batchOf(1n))).type, 'stale')
    },
  },
  {
    name: 'writes nothing of a commit with a smaller token',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      await (await openLedger(store)).seal(0, null)
      assert.equal(await commitOne(ledger, token, 'x'), 'stale')
      await assertNothing(ledger, 'x')
    },
  },
  {
    name: 'writes nothing of a commit with a token that was never sealed',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      assert.equal(await commitOne(ledger, token + 1n, 'x'), 'stale')
      await assertNothing(ledger, 'x')
    },
  },
  {
    name: 'tells a sealed-out commit so even where its ids are known',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      assert.equal(await commitOne(ledger, token, 'x'), 'committed')
      await ledger.seal(0, null)
      assert.equal(await commitOne(ledger, token, 'x'), 'stale')
    },
  },
  {
    name: 'lets a commit that races a seal take effect before it as a whole, or not at all',
    async check({ store }) {
      const { ledger, token } = await sealedLedger(store)
      const other = await openLedger(store)
      let last = token
      for (let round = 1; round <= 10; round++) {
        const commit = commitOne(ledger, last, `x${round}`, `k${round}`)
        const sealed = await other.seal(0, null)
        // What a new owner reads after its seal is final, wherever the old commit is by now.
        const seen = await found(other, [`k${round}`], [`x${round}`])
        const type = await commit
        assert.deepEqual(await found(other, [`k${round}`], [`x${round}`]), seen)
        const rows = type === 'committed' ? 1 : 0
        assert.deepEqual([seen.states.length, seen.receipts.length], [rows, rows], `after "${type}"`)
        last = sealed!
      }
    },
  },
]
