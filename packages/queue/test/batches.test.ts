import { expect, it } from 'vitest'
import { createBatches } from '../src/publishing/batches.ts'

/** Batches that go one at a time, each when the one before has been let go. */
function oneAtATime(sizeMax: number) {
  const sent: number[][] = []
  let go = () => {}
  const batches = createBatches<{ id: number; place: number }>({
    sizeMax,
    inFlightMax: 1,
    send: (items, over) => {
      sent.push(items.map(({ id }) => id))
      go = over
    },
  })
  const add = (id: number) => {
    const item = { id, place: -1 }
    batches.add(item)
    return item
  }
  const next = async () => {
    go()
    await new Promise(setImmediate)
  }
  return { batches, add, next, sent }
}

it('what waits goes in order, without what was taken back', async () => {
  const { batches, add, next, sent } = oneAtATime(3)
  const items = Array.from({ length: 8 }, (_, id) => add(id))
  for (const id of [1, 2, 7]) expect(batches.remove(items[id]!)).toBe(true)
  await next()
  add(8)
  await next()
  await next()
  expect(sent).toEqual([
    [0, 3, 4],
    [5, 6, 8],
  ])
})

it('what is added by those who were answered goes along with what waits', async () => {
  const { add, next, sent } = oneAtATime(100)
  add(1)
  await new Promise(setImmediate)
  add(2)
  void Promise.resolve().then(() => add(3))
  await next()
  expect(sent).toEqual([[1], [2, 3]])
})

it('half of all that waits and is out is a batch, so that one is made while the other travels', async () => {
  const sent: number[] = []
  const overs: (() => void)[] = []
  const batches = createBatches<{ place: number }>({
    sizeMin: 10,
    sizeMax: 500,
    inFlightMax: 4,
    send(items, over) {
      sent.push(items.length)
      overs.push(over)
    },
  })
  const add = (count: number) => {
    for (let item = 0; item < count; item++) batches.add({ place: -1 })
    return new Promise(setImmediate)
  }
  await add(256)
  for (let turn = 0; turn < 10; turn++) {
    overs.shift()!()
    await add(128)
  }
  expect(sent).toEqual(Array.from({ length: 12 }, () => 128))
})

it('an item is taken back once, and not when it has been sent or never came', async () => {
  const { batches, add, next, sent } = oneAtATime(1)
  const [first, second] = [add(1), add(2)]
  await next()
  expect(sent).toEqual([[1]])
  expect(batches.remove(first!)).toBe(false)
  expect(batches.remove(second!)).toBe(true)
  expect(batches.remove(second!)).toBe(false)
  expect(batches.remove({ id: 3, place: -1 })).toBe(false)
})

it('nothing is lost among many that are taken back, and each of the rest can still be', async () => {
  const { batches, add, next, sent } = oneAtATime(100)
  add(-1)
  const items = Array.from({ length: 6_000 }, (_, id) => add(id))
  await next()
  const tookBack = (id: number) => batches.remove(items[id]!)
  for (let id = 0; id < 6_000; id++) if (id % 5 > 0) expect(tookBack(id)).toBe(id >= 99)
  for (let id = 5; id < 6_000; id += 10) expect(tookBack(id)).toBe(id >= 99)
  for (let id = 6_000; id < 6_005; id++) add(id)
  while (sent.flat().at(-1) !== 6_004) await next()
  const first = Array.from({ length: 100 }, (_, at) => at - 1)
  const rest = items.map(({ id }) => id).filter((id) => id >= 99 && id % 10 === 0)
  expect(sent.flat()).toEqual([...first, ...rest, 6_000, 6_001, 6_002, 6_003, 6_004])
})
