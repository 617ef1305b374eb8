import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { auditCounters, auditSale } from '../src/audit.ts'
import { count } from '../src/counter.ts'
import { flashSale } from '../src/flash-sale.ts'
import { type Outcome, runCounters, runSale } from '../src/sale.ts'

const sale = flashSale({ seed: 2, requests: 400 })
const options = { callers: 16, seed: 2, answered() {} }
const all = { soldWithinStock: true, oneRowPerId: true, conserved: true }
let path: string

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'shop-audit-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  path = join(folder, 'shop.db')
})

function tamper(sql: string): void {
  using db = new DatabaseSync(path)
  expect(db.prepare(sql).run().changes).toBeGreaterThan(0)
}

const auditOf = ({ flood }: Outcome) => auditSale(path, sale.stock, flood.answers as never)

it.each([
  [
    'an order row that is gone',
    'DELETE FROM orders WHERE id = (SELECT min(id) FROM orders)',
    { oneRowPerId: false, conserved: false },
  ],
  ['an order row too many', `INSERT INTO orders VALUES ('x', 'hot', 'eve', 1, 'north')`, { oneRowPerId: false }],
  [
    'an order row with another quantity',
    'UPDATE orders SET quantity = 2 WHERE id = (SELECT min(id) FROM orders)',
    { soldWithinStock: false, oneRowPerId: false, conserved: false },
  ],
  [
    'an article that vanished',
    `UPDATE sale_states SET state = '{"left":-1,"sold":81}' WHERE key = 'hot'`,
    { soldWithinStock: false, conserved: false },
  ],
  [
    'an answer that is gone',
    "DELETE FROM sale_receipts WHERE sequence = 1 AND key = 'hot'",
    { oneRowPerId: false, conserved: false },
  ],
  [
    'an answer that was changed',
    `UPDATE sale_receipts SET result = '{"refused":"sold-out"}' WHERE sequence = 1 AND key = 'hot'`,
    { oneRowPerId: false, conserved: false },
  ],
  [
    'an answer with another number',
    `UPDATE sale_receipts SET sequence = 9999 WHERE sequence = 1 AND key = 'hot'`,
    { oneRowPerId: false, conserved: false },
  ],
])('the audit of a sale finds %s', async (_, sql, found) => {
  const outcome = await runSale(path, sale, options)
  expect(auditOf(outcome)).toEqual(all)
  tamper(sql)
  expect(auditOf(outcome)).toEqual({ ...all, ...found })
})

it.each([
  [
    'a count too high',
    `UPDATE counters_states SET state = '{"writes":51,"bytes":100}'`,
    { soldWithinStock: false, conserved: false },
  ],
  ['bytes that are missing', `UPDATE counters_states SET state = '{"writes":50,"bytes":99}'`, { conserved: false }],
  [
    'an answer that is gone',
    'DELETE FROM counters_receipts WHERE sequence = 7',
    { oneRowPerId: false, conserved: false },
  ],
])('the audit of counters finds %s', async (_, sql, found) => {
  const requests = Array.from({ length: 50 }, (_, index) => ({ id: `w${index}`, key: 'k', command: { bytes: 2 } }))
  const workload = { initial: () => ({ writes: 0, bytes: 0 }), decide: count, requests }
  const { flood } = await runCounters(path, workload, options)
  expect(auditCounters(path, requests, flood.answers)).toEqual(all)
  tamper(sql)
  expect(auditCounters(path, requests, flood.answers)).toEqual({ ...all, ...found })
})
