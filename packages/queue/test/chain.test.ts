import { expect, it } from 'vitest'
import { createChain } from '../src/chain.ts'
import { createHeld } from '../src/consuming/held.ts'

it('a chain keeps the order of arrival when any of its items leaves', () => {
  const chain = createChain<string>()
  const links = [...'abcde'].map((item) => chain.add(item))
  for (const at of [2, 0, 4]) expect(chain.remove(links[at]!)).toBe(true)
  expect(chain.items().join('')).toBe('bd')
  chain.add('f')
  expect(chain.items().join('')).toBe('bdf')
  expect(chain.first?.item).toBe('b')
  expect(chain.size).toBe(3)
})

it('an item leaves a chain once, and only its own', () => {
  const [chain, other] = [createChain<string>(), createChain<string>()]
  const link = chain.add('a')
  other.add('b')
  expect(other.remove(link)).toBe(false)
  expect(chain.remove(link)).toBe(true)
  expect(chain.remove(link)).toBe(false)
  expect([chain.size, other.size]).toEqual([0, 1])
  expect(chain.first).toBeUndefined()
})

it('what is held is found under its number alone, also when an old one stays for long', () => {
  const held = createHeld<number>()
  const old = held.add(-1)
  const waiting: [tag: number, item: number][] = []
  let last = old
  for (let item = 0; item < 10_000; item++) {
    const tag = held.add(item)
    expect(tag).toBeGreaterThan(last)
    last = tag
    waiting.push([tag, item])
    if (waiting.length < 100) continue
    const [oldest, value] = waiting.shift()!
    expect(held.take(oldest)).toBe(value)
    expect(held.take(oldest)).toBeUndefined()
  }
  expect(held.size).toBe(waiting.length + 1)
  expect(held.take(old)).toBe(-1)
  expect(held.take(Number.NaN)).toBeUndefined()
  expect(held.clear().sort((a, b) => a - b)).toEqual(waiting.map(([, item]) => item))
  expect(held.size).toBe(0)
})
