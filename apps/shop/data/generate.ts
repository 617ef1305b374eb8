// Makes the samples of this folder again: node data/generate.ts
import { writeFileSync } from 'node:fs'
import { randomBelow, seededRandom } from '@headrace/core'

const random = seededRandom(2026)
const skewed = (count: number) => Math.floor(count ** random.next())
const file = (name: string) => new URL(name, import.meta.url)

const orders = Array.from({ length: 1_000 }, (_, index) => {
  const minute = 8 * 60 + Math.floor((index / 1_000) * 600)
  const at = `2026-01-05T${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
  const customer = random.next() < 0.2 ? '' : 12_000 + randomBelow(random, 400)
  const price = (0.5 + random.next() * 20).toFixed(2)
  return [at, 900_000 + Math.floor(index / 4), 20_000 + skewed(300), skewed(24), price, customer, index + 1].join(',')
})
writeFileSync(file('orders-sample.csv'), `at,invoice,sku,quantity,unitPrice,customer,lineId\n${orders.join('\n')}\n`)

const writes = Array.from({ length: 2_000 }, (_, index) =>
  [Math.floor(index / 10), 4_096 * skewed(5_000), 512 * skewed(64)].join(','),
)
writeFileSync(file('writes-sample.csv'), `atSec,key,bytes\n${writes.join('\n')}\n`)
