import { partitionOf } from '@headrace/core'
import { describe, expect, it } from 'vitest'

describe('the partition of a key', () => {
  // Computed by another program. Stored messages depend on these: a change strands or reorders what is in a queue.
  it.each([
    ['a', 8, 3],
    ['order-1', 8, 4],
    ['order-2', 8, 0],
    ['sku-42', 1024, 789],
    ['schlüssel', 16, 11],
    ['𝄞', 7, 0],
    ['anything', 1, 0],
  ])('of "%s" among %i is %i for ever', (key, partitions, partition) => {
    expect(partitionOf(key, partitions)).toBe(partition)
  })

  it('is spread evenly, for keys that differ only at their end', () => {
    const counts = new Array<number>(16).fill(0)
    for (let n = 0; n < 16_000; n++) counts[partitionOf(`order-${n}`, 16)]!++
    // 1000 each, standard deviation 31: five of them.
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(155)
  })
})
