import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { exit, startChild } from './processes/child.ts'

it('a million keys and a million ids leave nothing behind but what the caches may hold', async () => {
  const writes = 1_000_000
  const parts = 5
  const child = startChild('memory.ts', [String(writes), String(parts)], ['--expose-gc'])
  const heaps = (await text(child.stdout!)).trim().split('\n').map(Number)
  await exit(child)
  expect(child.exitCode).toBe(0)
  expect(heaps).toHaveLength(parts)
  // The caches are full and the code is compiled after two parts. For one pointer for each of the 600,000 writes that
  // follow the heap would grow by 4.8 MB; the caches, by where they are in their turn-over, make up to 3 MB.
  expect((heaps.at(-1)! - heaps[1]!) / 2 ** 20).toBeLessThan(4)
}, 120_000)
