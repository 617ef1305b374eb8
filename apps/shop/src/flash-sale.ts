import { type Random, randomBelow, seededRandom } from '@headrace/core'
import type { Decide } from '@headrace/writer'
import { BadInput } from './bad-input.ts'
import { readCsv } from './csv.ts'
import { type Accepted, type Order, type Sale, type Stock, sell } from './stock.ts'
import { type Request, type Workload, withRetries } from './workload.ts'

/** What is for sale, and what is asked for. */
export interface FlashSale extends Workload<Stock, Order, Sale> {
  readonly stock: ReadonlyMap<string, number>
  readonly decide: Decide<Stock, Order, Sale, Accepted>
}

function saleOf(stock: ReadonlyMap<string, number>, requests: readonly Request<Order>[], random: Random): FlashSale {
  return {
    stock,
    initial: (sku) => ({ left: stock.get(sku) ?? 0, sold: 0 }),
    decide: sell,
    requests: withRetries(requests, { share: retryShare, random }),
  }
}

const retryShare = 0.02

/** One article that half of the buyers want, 10,000 in stock, and a long tail of 2,000 whose popularity follows Zipf's law. */
export function flashSale({ seed, requests: wanted }: { readonly seed: number; readonly requests: number }): FlashSale {
  const random = seededRandom(seed)
  const tail = 2_000
  const stock = new Map([['hot', Math.ceil(wanted / 5)]])
  for (let rank = 1; rank <= tail; rank++) stock.set(`tail-${rank}`, 100)
  const popular = zipf(tail)
  const requests = Array.from({ length: wanted }, (_, index) => {
    const id = `${seed}-${String(index).padStart(8, '0')}`
    const key = random.next() < 0.5 ? 'hot' : `tail-${popular(random.next())}`
    const order = { order: id, buyer: `buyer-${randomBelow(random, 1_000_000)}`, quantity: 1 }
    return { id, key, command: order }
  })
  return saleOf(stock, requests, random)
}

/** Real order lines, in their order. There is stock for four fifths of what is asked for of each article. */
export async function saleFromOrders(path: string, { seed }: { readonly seed: number }): Promise<FlashSale> {
  const requests: Request<Order>[] = []
  const asked = new Map<string, number>()
  const lines = new Map<string, number>()
  for await (const row of readCsv(path, ['at', 'invoice', 'sku', 'quantity', 'unitPrice', 'customer', 'lineId'])) {
    const key = row.text('sku')
    const id = row.text('lineId')
    const before = lines.get(id)
    if (before) throw new BadInput(`${path}:${row.line}: column "lineId" is the same as in line ${before}`)
    lines.set(id, row.line)
    const quantity = row.whole('quantity', 1)
    requests.push({ id, key, command: { order: id, buyer: row.text('invoice'), quantity } })
    asked.set(key, (asked.get(key) ?? 0) + quantity)
  }
  const stock = new Map(Array.from(asked, ([sku, quantity]) => [sku, Math.ceil(quantity * 0.8)]))
  return saleOf(stock, requests, seededRandom(seed))
}

/** @returns a function from [0, 1) to ranks from 1, rank k with probability proportional to 1 / k. */
function zipf(ranks: number): (uniform: number) => number {
  const cumulative: number[] = []
  let total = 0
  for (let rank = 1; rank <= ranks; rank++) {
    total += 1 / rank
    cumulative.push(total)
  }
  return (uniform) => {
    let low = 0
    let high = ranks - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle]! > uniform * total) high = middle
      else low = middle + 1
    }
    return low + 1
  }
}
