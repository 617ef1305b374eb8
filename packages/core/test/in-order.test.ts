import { inOrderPerKey } from '@headrace/core'
import { expect, it } from 'vitest'

const keyOf = (item: string) => (item[0] === '-' ? undefined : item[0])

it('items of a key wait for each other, and no key waits for another', async () => {
  const log: string[] = []
  const ends = new Map<string, () => void>()
  const running = inOrderPerKey(['a1', 'b1', 'a2', '-1', '-2'], keyOf, async (item) => {
    log.push(item)
    await new Promise<void>((resolve) => ends.set(item, resolve))
    return true
  })
  expect(log).toEqual(['a1', 'b1', '-1', '-2'])
  ends.get('a1')?.()
  await Promise.resolve().then(() => new Promise(setImmediate))
  expect(log).toEqual(['a1', 'b1', '-1', '-2', 'a2'])
  for (const end of ends.values()) end()
  expect(await running).toEqual([true, true, true, true, true])
})

it('behind one that is not done the rest of its key is left, and only of its key', async () => {
  const begun: string[] = []
  const done = await inOrderPerKey(['a1', 'a2', 'b1', '-1', 'a3', '-2', 'b2'], keyOf, async (item) => {
    begun.push(item)
    return item !== 'a1' && item !== '-1'
  })
  expect(done).toEqual([false, false, true, false, false, true, true])
  expect(begun).not.toContain('a2')
})
