import { manualClock } from '@headrace/core/testing'
import { createWriter } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'
import { describe, expect, it } from 'vitest'
import { ending, gate, never, setup } from './subject.ts'

const one = { quantity: 1 }
describe('a write', () => {
  it('is answered with a receipt, numbered per key from 1', async () => {
    const { writer } = setup({})
    expect(await writer.write('a', one, { id: 'x' })).toEqual({
      id: 'x',
      key: 'a',
      sequence: 1,
      result: 'sold',
      replayed: false,
    })
    expect(await writer.write('a', { quantity: 10 })).toMatchObject({ sequence: 2, result: 'sold-out' })
    expect(await writer.write('b', one)).toMatchObject({ sequence: 1 })
    expect(await writer.read('a')).toEqual({ left: 9 })
  })

  it('gets an id that sorts by time where none is given', async () => {
    const { clock, writer } = setup({})
    const first = await writer.write('a', one)
    await clock.advance(1)
    const second = await writer.write('a', one)
    expect(first.id).toMatch(/^[0-9a-f]{32}$/)
    expect(second.id > first.id).toBe(true)
  })

  it('of many callers at once takes effect in the order of the calls, in one commit', async () => {
    const { writer, events } = setup({})
    const receipts = await Promise.all(Array.from({ length: 100 }, () => writer.write('a', one)))
    expect(receipts.map((receipt) => receipt.sequence)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1))
    expect(receipts.filter((receipt) => receipt.result === 'sold')).toHaveLength(10)
    expect(events.filter((event) => event.type === 'committed')).toEqual([
      { type: 'committed', partition: 0, writes: 100, events: 0, ms: 0 },
    ])
    expect(writer.stats()).toMatchObject({ committed: 100, batches: 1, waiting: 0, waitingLength: 0 })
  })

  it('is not answered before the commit', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
    })
    let answered = false
    const write = writer.write('a', one).then(() => {
      answered = true
    })
    await clock.advance(1_000)
    expect(answered).toBe(false)
    open.resolve()
    await write
  })

  it('is cut into batches of batchMax', async () => {
    const { writer, events } = setup({ batchMax: 2 })
    await Promise.all(Array.from({ length: 5 }, () => writer.write('a', one)))
    expect(events.flatMap((event) => (event.type === 'committed' ? event.writes : []))).toEqual([2, 2, 1])
  })

  it('with more keys in a batch than statesMax sees the right state of each', async () => {
    const { writer } = setup({ statesMax: 1 })
    for (let round = 1; round <= 3; round++) {
      const keys = Array.from({ length: 20 }, (_, at) => `key-${at}`)
      const receipts = await Promise.all([...keys, ...keys].map((key) => writer.write(key, one)))
      expect(receipts.map((receipt) => receipt.sequence)).toEqual([
        ...keys.map(() => round * 2 - 1),
        ...keys.map(() => round * 2),
      ])
    }
    expect(await writer.read('key-7')).toEqual({ left: 4 })
  })

  it('shares statesMax between the partitions', async () => {
    const read: string[] = []
    const { writer } = setup({
      partitions: 4,
      statesMax: 4,
      change: (good) => ({
        load(keys, ids) {
          read.push(...keys)
          return good.load(keys, ids)
        },
      }),
    })
    const keys = Array.from({ length: 40 }, (_, at) => `key-${at}`)
    for (const key of keys) await writer.write(key, one)
    read.length = 0
    for (const key of keys) await writer.write(key, one)
    // Between four and eight of the forty are remembered.
    expect(read.length).toBeGreaterThanOrEqual(32)
  })

  it('goes to the partition of its key, each with a fence of its own', async () => {
    const { writer, events, ledger } = setup({ partitions: 8 })
    await Promise.all(Array.from({ length: 100 }, (_, at) => writer.write(`key-${at}`, one)))
    const owned = events.flatMap((event) => (event.type === 'owned' ? event.partition : []))
    expect(owned.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    const sealed = await ledger()
    expect(await sealed.seal(3, 1n)).toBe(1n)
    expect(await sealed.seal(3, 0n)).toBeNull()
  })
})

describe('the same id', () => {
  it('gets the same receipt, from memory and from the store', async () => {
    const { writer, create } = setup({})
    const first = await writer.write('a', one, { id: 'x' })
    expect(await writer.write('a', one, { id: 'x' })).toEqual({ ...first, replayed: true })
    const other = create()
    expect(await other.write('a', one, { id: 'x' })).toEqual({ ...first, replayed: true })
    expect(await other.read('a')).toEqual({ left: 9 })
    expect([writer.stats().replayed, other.stats().replayed]).toEqual([1, 1])
  })

  it('that was answered lately asks nothing of the store, and one of long ago does', async () => {
    let calls = 0
    const { writer } = setup({
      receiptsMax: 2,
      change: (good) => ({
        load(keys, ids) {
          calls++
          return good.load(keys, ids)
        },
        commit(batch) {
          calls++
          return good.commit(batch)
        },
      }),
    })
    for (const id of ['1', '2', '3', '4', '5']) await writer.write('a', one, { id })
    const before = calls
    expect(await writer.write('a', one, { id: '5' })).toMatchObject({ sequence: 5, replayed: true })
    expect(calls).toBe(before)
    expect(await writer.write('a', one, { id: '1' })).toMatchObject({ sequence: 1, replayed: true })
    expect(calls).toBeGreaterThan(before)
  })

  it('joins the write under way', async () => {
    const { writer } = setup({})
    const [first, second] = await Promise.all([
      writer.write('a', one, { id: 'x' }),
      writer.write('a', { quantity: 1 }, { id: 'x' }),
    ])
    expect(first).toMatchObject({ sequence: 1, replayed: false })
    expect(second).toMatchObject({ sequence: 1, replayed: true })
    expect(writer.stats()).toMatchObject({ committed: 1, replayed: 1, waiting: 0 })
  })

  it.each([
    ['another command', 'a', { quantity: 2 }],
    ['another key', 'b', one],
  ])('with %s is refused: under way, from memory and from the store', async (_, key, command) => {
    const { writer, create } = setup({})
    const first = writer.write('a', one, { id: 'x' })
    await expect(writer.write(key, command, { id: 'x' })).rejects.toMatchObject({ code: 'REJECTED' })
    await first
    await expect(writer.write(key, command, { id: 'x' })).rejects.toMatchObject({ code: 'REJECTED' })
    const other = create()
    await expect(other.write(key, command, { id: 'x' })).rejects.toMatchObject({ code: 'REJECTED' })
    expect(await other.write('a', one, { id: 'x' })).toMatchObject({ sequence: 1, replayed: true })
  })

  it('with its members in another order is the same command', async () => {
    const clock = manualClock()
    const writer = createWriter<number, { a: number; b: { c: number; d: number } }, number>({
      ...{ name: 'sum', initial: () => 0, store: memoryStore(), clock },
      decide: (sum, { a }) => ({ state: sum + a, result: sum + a }),
    })
    await writer.write('k', { a: 1, b: { c: 2, d: 3 } }, { id: 'x' })
    expect(await writer.write('k', { b: { d: 3, c: 2 }, a: 1 }, { id: 'x' })).toMatchObject({ replayed: true })
  })

  it('has an answer for each call by its own deadline and its own signal', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
    })
    const controller = new AbortController()
    const ends = [
      ending(clock, writer.write('a', one, { id: 'x', deadlineMs: 10 })),
      ending(clock, writer.write('a', one, { id: 'x', deadlineMs: 30 })),
      ending(clock, writer.write('a', one, { id: 'x', signal: controller.signal })),
      ending(clock, writer.write('a', one, { id: 'x', deadlineMs: 1_000 })),
    ]
    await clock.advance(20)
    controller.abort()
    await clock.advance(20)
    open.resolve()
    expect(await Promise.all(ends)).toEqual([
      { code: 'TIMEOUT', atMs: 10 },
      { code: 'TIMEOUT', atMs: 30 },
      { code: 'ABORTED', atMs: 20 },
      { sequence: 1, result: 'sold', replayed: true, atMs: 40 },
    ])
    expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0 })
    expect(clock.pending).toBe(0)
  })

  it('whose first caller gives up in line is still written for those who joined', async () => {
    const { clock, writer } = setup({})
    const controller = new AbortController()
    const first = ending(clock, writer.write('a', one, { id: 'x', signal: controller.signal }))
    const second = ending(clock, writer.write('a', one, { id: 'x' }))
    controller.abort()
    expect(await first).toMatchObject({ code: 'ABORTED' })
    expect(await second).toMatchObject({ sequence: 1 })
    expect(writer.stats().waiting).toBe(0)
  })

  it('counts against waitingMax with every call that waits for it', async () => {
    const { clock, writer } = setup({ waitingMax: 3, change: () => ({ commit: never }) })
    const ends = Array.from({ length: 5 }, () => ending(clock, writer.write('a', one, { id: 'x', deadlineMs: 50 })))
    expect(writer.stats().waiting).toBe(3)
    await clock.advance(50)
    const codes = (await Promise.all(ends)).map((end) => end.code)
    expect(codes).toEqual(['TIMEOUT', 'TIMEOUT', 'TIMEOUT', 'BUSY', 'BUSY'])
  })

  it('answers fifty thousand calls that joined in linear time', async () => {
    const { writer } = setup({ waitingMax: 100_000 })
    const startMs = performance.now()
    await Promise.all(Array.from({ length: 50_000 }, () => writer.write('a', one, { id: 'x' })))
    expect(performance.now() - startMs).toBeLessThan(4_000)
  })
})

describe('read', () => {
  it('gives the initial state of a key that was never written', async () => {
    const { writer } = setup({})
    expect(await writer.read('a')).toEqual({ left: 10 })
  })

  it('ends by its signal while the store hangs', async () => {
    const { writer, clock } = setup({ store: { open: never } })
    const controller = new AbortController()
    const read = writer.read('a', { signal: controller.signal })
    controller.abort()
    await expect(read).rejects.toMatchObject({ code: 'ABORTED' })
    expect(writer.stats().waiting).toBe(0)
    await clock.advance(5_000)
  })

  it('ends by itself while the store hangs', async () => {
    const { writer, clock } = setup({ change: () => ({ load: never }) })
    const read = expect(writer.read('a')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await clock.advance(10_000)
    await read
  })

  it('tells of a store that fails as UNAVAILABLE', async () => {
    const cause = new Error('no route to host')
    const { writer } = setup({ change: () => ({ load: () => Promise.reject(cause) }) })
    await expect(writer.read('a')).rejects.toMatchObject({ code: 'UNAVAILABLE', cause })
  })

  it('counts against waitingMax', async () => {
    const { writer, clock } = setup({ waitingMax: 1, change: () => ({ load: never }) })
    const read = expect(writer.read('a')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(writer.read('b')).rejects.toMatchObject({ code: 'BUSY' })
    await clock.advance(10_000)
    await read
  })
})
