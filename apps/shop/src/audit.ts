import { DatabaseSync } from 'node:sqlite'
import type { Receipt } from '@headrace/writer'
import type { Counter, Increment } from './counter.ts'
import type { Sale, Stock } from './stock.ts'
import type { Request } from './workload.ts'

/** What must hold, read back from the file through a connection that has written nothing. */
export interface Invariants {
  readonly soldWithinStock: boolean
  readonly oneRowPerId: boolean
  readonly conserved: boolean
}

interface ReceiptRow {
  readonly id: string
  readonly key: string
  readonly sequence: number
  readonly result: string
}

/**
 * - `soldWithinStock`: of no article was more sold than there was.
 * - `oneRowPerId`: every answer that a client got is in the file as it was given, and every accepted id has one order row.
 * - `conserved`: of every article, what is left and what the order rows say was sold add up to the stock, and the receipts
 *   of an article are numbered without a gap.
 */
export function auditSale(
  path: string,
  stock: ReadonlyMap<string, number>,
  answers: ReadonlyMap<string, Receipt<Sale>>,
): Invariants {
  using db = readOnly(path)
  const receipts = db.all<ReceiptRow>('SELECT id, key, sequence, result FROM sale_receipts')
  const orders = new Map(
    db.all<{ id: string; sku: string; quantity: number }>('SELECT * FROM orders').map((row) => [row.id, row]),
  )
  const states = statesOf<Stock>(db, 'sale')

  const sold = new Map<string, number>()
  let oneRowPerId = answersStand(answers, receipts)
  let accepted = 0
  for (const { id, key, result } of receipts) {
    const answer = JSON.parse(result) as Sale
    if (!('sold' in answer)) continue
    accepted++
    const order = orders.get(id)
    if (order?.sku !== key || order.quantity !== answer.sold) oneRowPerId = false
    sold.set(key, (sold.get(key) ?? 0) + (order?.quantity ?? 0))
  }
  const amounts = Array.from(states, ([sku, { state }]) => ({
    there: stock.get(sku) ?? 0,
    sold: sold.get(sku) ?? 0,
    left: state.left,
  }))
  return {
    soldWithinStock: amounts.every(({ there, sold, left }) => sold <= there && left >= 0),
    oneRowPerId: oneRowPerId && accepted === orders.size,
    conserved: amounts.every(({ there, sold, left }) => sold + left === there) && gapless(receipts, states),
  }
}

/**
 * The same three for counters: no address counts more than was sent to it; every answer stands; every address counts each
 * write that was sent to it, and its bytes, once.
 */
export function auditCounters(
  path: string,
  requests: readonly Request<Increment>[],
  answers: ReadonlyMap<string, Receipt<unknown>>,
): Invariants {
  using db = readOnly(path)
  const receipts = db.all<ReceiptRow>('SELECT id, key, sequence, result FROM counters_receipts')
  const states = statesOf<Counter>(db, 'counters')
  const wanted = new Map<string, Counter>()
  for (const { key, command } of new Map(requests.map((request) => [request.id, request])).values()) {
    const { writes, bytes } = wanted.get(key) ?? { writes: 0, bytes: 0 }
    wanted.set(key, { writes: writes + 1, bytes: bytes + command.bytes })
  }
  const counted = Array.from(states, ([key, { state }]) => ({ state, wanted: wanted.get(key) }))
  return {
    soldWithinStock: counted.every(({ state, wanted }) => state.writes <= (wanted?.writes ?? 0)),
    oneRowPerId: answersStand(answers, receipts),
    conserved:
      states.size === wanted.size &&
      counted.every(({ state, wanted }) => state.writes === wanted?.writes && state.bytes === wanted.bytes) &&
      gapless(receipts, states),
  }
}

function answersStand(answers: ReadonlyMap<string, Receipt<unknown>>, receipts: readonly ReceiptRow[]): boolean {
  const rows = new Map(receipts.map((row) => [row.id, row]))
  return Array.from(answers.values()).every(({ id, key, sequence, result }) => {
    const row = rows.get(id)
    return row?.key === key && row.sequence === sequence && row.result === JSON.stringify(result)
  })
}

/** Of every key, the receipts are numbered 1 to n, and n is where its state stands. */
function gapless(receipts: readonly ReceiptRow[], states: ReadonlyMap<string, { readonly sequence: number }>): boolean {
  const numbers = new Map<string, Set<number>>()
  for (const { key, sequence } of receipts) numbers.set(key, (numbers.get(key) ?? new Set()).add(sequence))
  return Array.from(numbers).every(
    ([key, found]) => found.size === states.get(key)?.sequence && !found.has(0) && Math.max(...found) === found.size,
  )
}

function statesOf<State>(db: ReadOnly, writer: string): Map<string, { state: State; sequence: number }> {
  const rows = db.all<{ key: string; sequence: number; state: string }>(`SELECT * FROM ${writer}_states`)
  return new Map(rows.map(({ key, sequence, state }) => [key, { sequence, state: JSON.parse(state) as State }]))
}

interface ReadOnly extends Disposable {
  all<Row>(sql: string): Row[]
}

function readOnly(path: string): ReadOnly {
  const db = new DatabaseSync(path, { readOnly: true })
  return {
    all: <Row>(sql: string) => db.prepare(sql).all() as unknown as Row[],
    [Symbol.dispose]: () => db.close(),
  }
}
