import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { BadInput } from '../src/bad-input.ts'
import { saleFromOrders } from '../src/flash-sale.ts'
import { writesFrom } from '../src/write-trace.ts'

const folder = mkdtempSync(join(tmpdir(), 'shop-csv-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, ...lines: string[]): string {
  const path = join(folder, name)
  writeFileSync(path, lines.join('\n'))
  return path
}

const orderHeader = 'at,invoice,sku,quantity,unitPrice,customer,lineId'

it('order lines become requests under their line ids, with stock for four fifths', async () => {
  const path = file('orders.csv', orderHeader, 'x,1,a,4,1.00,,l1', 'x,1,b,1,1.00,7,l2', 'x,2,a,6,1.00,7,l3')
  const { stock, requests } = await saleFromOrders(path, { seed: 1 })
  expect(requests.map(({ id, key, command }) => [id, key, command.quantity])).toEqual([
    ['l1', 'a', 4],
    ['l2', 'b', 1],
    ['l3', 'a', 6],
  ])
  expect(stock).toEqual(
    new Map([
      ['a', 8],
      ['b', 1],
    ]),
  )
})

it('the lines of a write trace become increments', async () => {
  const { requests } = await writesFrom(file('writes.csv', 'atSec,key,bytes', '0,17,512', '0,17,1024'))
  expect(requests).toEqual([
    { id: 'writes.csv:2', key: '17', command: { bytes: 512 } },
    { id: 'writes.csv:3', key: '17', command: { bytes: 1024 } },
  ])
})

it.each([
  [
    'a value that is no number',
    [orderHeader, 'x,1,a,4,1.00,,l1', 'x,1,a,many,1.00,,l2'],
    /:3: column "quantity" .* received "many"/,
  ],
  ['a quantity of nothing', [orderHeader, 'x,1,a,0,1.00,,l1'], /:2: column "quantity" .* received "0"/],
  ['a number beyond what can be counted', [orderHeader, 'x,1,a,9007199254740993,1.00,,l1'], /:2: column "quantity"/],
  ['an empty value', [orderHeader, 'x,1,,4,1.00,,l1'], /:2: column "sku" is empty/],
  ['a value without end', [orderHeader, `x,1,${'s'.repeat(129)},4,1.00,,l1`], /:2: column "sku" is 129 characters/],
  ['a missing column', ['at,invoice,sku', 'x,1,a'], /:1: column "quantity" is missing/],
  ['a line that is too short', [orderHeader, 'x,1,a'], /:2: .*Record Length/],
  [
    'a line id that comes twice',
    [orderHeader, 'x,1,a,4,1.00,,l1', 'x,1,a,4,1.00,,l1'],
    /:3: column "lineId" .* line 2/,
  ],
  ['an open quote', [orderHeader, 'x,"1,a,4,1.00,,l1'], /:2: .*Quote/],
  ['no line at all', [''], /:1: the file is empty/],
])('%s is reported with file, line and column', async (name, lines, message) => {
  const error = await saleFromOrders(file(`${name}.csv`, ...lines), { seed: 1 }).catch((error) => error)
  expect(error).toBeInstanceOf(BadInput)
  expect(error.message).toMatch(message)
  expect(error.message).not.toContain('\n')
})

it('a file that is not there, or is a folder, is reported by its name', async () => {
  await expect(writesFrom(join(folder, 'none.csv'))).rejects.toThrow(/none\.csv: there is no such file/)
  await expect(writesFrom(folder)).rejects.toThrow(BadInput)
})
