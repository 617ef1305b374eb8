import { copyFileSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { sqliteStore } from '@headrace/writer/sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { audit, type Invariants } from '../src/audit.ts'
import { type Fight, fight } from '../src/fight.ts'
import { tempFolder } from './temp-folder.ts'

// One fight that is whole; each test breaks a copy of it in one way.
const folder = tempFolder()
const path = folder.file('whole.db')
let whole: Fight
beforeAll(async () => {
  whole = await fight({ store: sqliteStore(path), rooms: 1, bots: 40, seconds: 2, tick: 30, seed: 3, fault: 'none' })
}, 30_000)
afterAll(() => folder[Symbol.dispose]())

async function brokenBy(harm: { sql?: string; sent?: Fight['sent']; owners?: Fight['owners'] }): Promise<string[]> {
  const copy = folder.file('broken.db')
  copyFileSync(path, copy)
  if (harm.sql) {
    using db = new DatabaseSync(copy)
    db.exec(harm.sql)
    expect(db.prepare('SELECT changes() AS rows').get()).toEqual({ rows: 1 })
  }
  const verdict: Invariants = await audit(sqliteStore(copy), { ...whole, ...harm })
  rmSync(copy)
  return Object.entries(verdict).flatMap(([name, holds]) => (holds ? [] : [name]))
}

const receipts = '"arena-shard-1_receipts"'
const states = '"arena-shard-1_states"'

describe('the audit', () => {
  test('finds nothing wrong with a fight that is whole', async () => {
    expect(await brokenBy({})).toEqual([])
  })

  test('finds a receipt that is missing', async () => {
    const broken = await brokenBy({ sql: `DELETE FROM ${receipts} WHERE sequence = 5` })
    expect(broken).toEqual(expect.arrayContaining(['acknowledgedKept', 'inOrder', 'appliedOnce']))
  })

  test('finds a last receipt that is missing by the state', async () => {
    const last = `(SELECT max(sequence) FROM ${receipts})`
    expect(await brokenBy({ sql: `DELETE FROM ${receipts} WHERE sequence = ${last}` })).toContain('inOrder')
  })

  test('finds hit points that nobody has healed', async () => {
    const broken = await brokenBy({ sql: `UPDATE ${states} SET state = json_set(state, '$.health', 19999.5)` })
    expect(broken).toEqual(['appliedOnce', 'hitPointsConserved'])
  })

  test('finds a result that the rules do not give', async () => {
    const hit = `(SELECT min(sequence) FROM ${receipts} WHERE result LIKE '%"hit"%')`
    const broken = await brokenBy({
      sql: `UPDATE ${receipts} SET result = json_set(result, '$.dealt', 9999) WHERE sequence = ${hit}`,
    })
    expect(broken).toEqual(['acknowledgedKept', 'appliedOnce', 'hitPointsConserved'])
  })

  test('finds an item that was handed out twice', async () => {
    const hit = `(SELECT min(sequence) FROM ${receipts} WHERE result LIKE '%"missed"%')`
    const twice = `'{"type":"looted","item":"boss-1/item-1"}'`
    const broken = await brokenBy({ sql: `UPDATE ${receipts} SET result = ${twice} WHERE sequence = ${hit}` })
    expect(broken).toContain('lootOnce')
  })

  test('finds an answer that differs from what is kept', async () => {
    const [first, ...others] = whole.sent.filter(({ receipt }) => receipt)
    const receipt = { ...first!.receipt!, sequence: first!.receipt!.sequence + 1 }
    expect(await brokenBy({ sent: [{ ...first!, receipt }, ...others] })).toContain('acknowledgedKept')
  })

  test('finds a write that nobody has sent', async () => {
    expect(await brokenBy({ sent: whole.sent.slice(1) })).toContain('inOrder')
  })

  test('finds commands of a bot that took effect in another order', async () => {
    expect(await brokenBy({ sent: [...whole.sent].reverse() })).toEqual(['inOrder'])
  })

  test('finds a write under an older fencing token', async () => {
    const [from, to] = ['server-1', 'server-2']
    const takeOvers = [{ shard: 'shard-1', from, to, tokens: [5n, 4n] as const, silentMs: 1 }]
    expect(await brokenBy({ owners: { ...whole.owners, takeOvers } })).toEqual(['fenced'])
  })
})
