import { text } from 'node:stream/consumers'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { exit, startChild } from './processes/child.ts'
import { setup } from './subject.ts'

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

it('a command is forgotten with its answer, though its receipt is remembered', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { writer } = setup({})
  const write = () => {
    const command = { quantity: 1 }
    return { written: writer.write('a', command, { id: 'x' }), seen: new WeakRef(command) }
  }
  const { written, seen } = write()
  await written
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  expect(seen.deref()).toBeUndefined()
  expect(await writer.write('a', { quantity: 1 }, { id: 'x' })).toMatchObject({ replayed: true })
})
