import { seededRandom } from '@headrace/core'
import { expect, it } from 'vitest'
import { flashSale } from '../src/flash-sale.ts'
import { withRetries } from '../src/workload.ts'

const requests = Array.from({ length: 5_000 }, (_, index) => ({ id: `r${index}`, key: 'k', command: { index } }))

it('a retry is the same request again, later, and no request is left out', () => {
  const sent = withRetries(requests, { share: 0.1, random: seededRandom(7) })
  const seen = new Map<string, (typeof requests)[0]>()
  for (const request of sent) {
    const before = seen.get(request.id)
    if (before) expect(request).toBe(before)
    seen.set(request.id, request)
  }
  expect([...seen.values()]).toEqual(requests)
  expect(sent.length - requests.length).toBeGreaterThan(400)
  expect(sent.length - requests.length).toBeLessThan(600)
})

it('without retries the requests stay as they are', () => {
  expect(withRetries(requests, { share: 0, random: seededRandom(7) })).toEqual(requests)
})

it('one seed gives one sale, with half of the requests for the hot article', () => {
  const sale = flashSale({ seed: 3, requests: 2_000 })
  expect(sale.requests).toEqual(flashSale({ seed: 3, requests: 2_000 }).requests)
  expect(sale.requests).not.toEqual(flashSale({ seed: 4, requests: 2_000 }).requests)
  const hot = sale.requests.filter(({ key }) => key === 'hot').length
  expect(hot / sale.requests.length).toBeGreaterThan(0.45)
  expect(hot / sale.requests.length).toBeLessThan(0.55)
  expect(sale.initial('hot')).toEqual({ left: 400, sold: 0 })
  expect(sale.initial('unheard of')).toEqual({ left: 0, sold: 0 })
})
