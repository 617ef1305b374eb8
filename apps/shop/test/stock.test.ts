import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { type Stock, sell } from '../src/stock.ts'

const orders = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 50 })

test.prop([fc.integer({ min: 0, max: 100 }), orders])(
  'what is left and what was sold add up to the stock',
  (left, quantities) => {
    let stock: Stock = { left, sold: 0 }
    for (const [index, quantity] of quantities.entries()) {
      const before = stock
      const { state = stock, result, events = [] } = sell(stock, { order: `o${index}`, buyer: 'ada', quantity })
      stock = state
      if ('sold' in result) {
        expect(result).toEqual({ sold: quantity, buyer: 'ada' })
        expect(events).toEqual([{ order: `o${index}`, buyer: 'ada', quantity }])
        expect(before.left - stock.left).toBe(quantity)
      } else {
        expect(quantity).toBeGreaterThan(before.left)
        expect(stock).toBe(before)
        expect(events).toEqual([])
      }
      expect(stock.left).toBeGreaterThanOrEqual(0)
      expect(stock.left + stock.sold).toBe(left)
    }
  },
)
