import { expect, it } from 'vitest'
import { createKeyed } from '../src/keyed.ts'

it('any string is a key, and none has a meaning of its own', () => {
  const keyed = createKeyed<{ n: number }>()
  const keys = ['__proto__', 'constructor', 'toString', '0', '42', '-1', 'ключ', '']
  for (const key of keys) expect(keyed.get(key)).toBeUndefined()
  for (const [n, key] of keys.entries()) keyed.set(key, { n })
  for (const [n, key] of keys.entries()) expect(keyed.get(key)).toEqual({ n })
  expect(keyed.values()).toHaveLength(keys.length)
  for (const key of keys) keyed.delete(key)
  expect(keyed.values()).toEqual([])
})
