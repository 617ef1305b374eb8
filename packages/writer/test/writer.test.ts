import { getEventListeners } from 'node:events'
import { HeadraceError } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createWriter } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'
import { describe, expect, it } from 'vitest'
import { ending, gate, never, sell, setup } from './subject.ts'

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

describe('a deadline', () => {
  it('that passes in line is BUSY, and the write never happens', async () => {
    const open = gate()
    const { clock, writer } = setup({
      batchMax: 1,
      change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
    })
    const first = ending(clock, writer.write('a', one))
    await clock.settle()
    const second = writer.write('a', one, { id: 'x', deadlineMs: 5 })
    const error = second.catch((thrown: HeadraceError) => thrown)
    await clock.advance(5)
    // The batch ahead has taken 5 ms so far, so that it is expected to take as long again.
    expect(await error).toMatchObject({ code: 'BUSY', retryAfterMs: 5 })
    open.resolve()
    await first
    await clock.settle()
    expect(await writer.read('a')).toEqual({ left: 9 })
    expect(writer.stats().waiting).toBe(0)
  })

  it.each([
    ['opened', () => ({ open: never })],
    ['sealed', () => ({ seal: never })],
    ['read', () => ({ load: never })],
  ] as const)('that passes while the store hangs before it is %s is UNAVAILABLE', async (_, change) => {
    const { open, ...ledger } = change() as { open?: () => Promise<never> }
    const { clock, writer } = setup({ ...(open ? { store: { open } } : { change: () => ledger }) })
    const end = ending(clock, writer.write('a', one, { deadlineMs: 40 }))
    await clock.advance(40)
    expect(await end).toEqual({ code: 'UNAVAILABLE', atMs: 40 })
  })

  it('that passes while the commit is out is TIMEOUT, and the same id tells what came of it', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
    })
    const end = ending(clock, writer.write('a', one, { id: 'x', deadlineMs: 40 }))
    await clock.advance(40)
    expect(await end).toEqual({ code: 'TIMEOUT', atMs: 40 })
    open.resolve()
    expect(await writer.write('a', one, { id: 'x' })).toMatchObject({ sequence: 1, replayed: true })
  })
})

describe('an abort', () => {
  it('before the call ends it before anything is done', async () => {
    const { writer, events } = setup({})
    const reason = new Error('no longer wanted')
    await expect(writer.write('a', one, { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
      code: 'ABORTED',
      cause: reason,
    })
    expect(events).toEqual([])
  })

  it('in line takes the write out, in the same turn', async () => {
    const { clock, writer } = setup({})
    const controller = new AbortController()
    const end = ending(clock, writer.write('a', one, { signal: controller.signal }))
    controller.abort()
    expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0 })
    expect(await end).toEqual({ code: 'ABORTED', atMs: 0 })
    await clock.settle()
    expect(await writer.read('a')).toEqual({ left: 10 })
  })

  it('is no longer listened for once there is an answer', async () => {
    const { writer } = setup({})
    const { signal } = new AbortController()
    await writer.write('a', one, { signal })
    await expect(writer.write('a', one, { id: 'x', signal })).resolves.toBeDefined()
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('while the state is read takes the write out of the batch', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ load: (keys, ids) => open.promise.then(() => good.load(keys, ids)) }),
    })
    const controller = new AbortController()
    const gone = ending(clock, writer.write('a', one, { signal: controller.signal }))
    const stays = ending(clock, writer.write('a', one))
    await clock.settle()
    controller.abort()
    expect(await gone).toMatchObject({ code: 'ABORTED' })
    open.resolve()
    expect(await stays).toMatchObject({ sequence: 1 })
  })

  it('after the commit was sent leaves it to take effect', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
    })
    const controller = new AbortController()
    const end = ending(clock, writer.write('a', one, { id: 'x', signal: controller.signal }))
    await clock.settle()
    controller.abort()
    expect(await end).toMatchObject({ code: 'ABORTED' })
    expect(writer.stats().waiting).toBe(1)
    open.resolve()
    await clock.settle()
    expect(writer.stats().waiting).toBe(0)
    expect(await writer.write('a', one, { id: 'x' })).toMatchObject({ sequence: 1, replayed: true })
  })
})

describe('admission', () => {
  it('refuses at once over waitingMax, with a time to come back', async () => {
    const { clock, writer, events } = setup({ waitingMax: 2, change: () => ({ commit: never }) })
    const ends = [1, 2].map(() => ending(clock, writer.write('a', one, { deadlineMs: 1 })))
    await expect(writer.write('b', one)).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 1 })
    expect(events.at(-1)).toEqual({ type: 'refused', reason: 'waiting', retryAfterMs: 1 })
    expect(writer.stats().refused).toBe(1)
    await clock.advance(1)
    await Promise.all(ends)
  })

  it('refuses over waitingLengthMax', async () => {
    const { clock, writer, events } = setup({ waitingLengthMax: 30, change: () => ({ commit: never }) })
    const ends = [ending(clock, writer.write('a', one, { deadlineMs: 1 }))]
    expect(writer.stats().waitingLength).toBe('{"quantity":1}'.length)
    ends.push(ending(clock, writer.write('a', one, { deadlineMs: 1 })))
    await expect(writer.write('a', one)).rejects.toMatchObject({ code: 'BUSY' })
    expect(events.at(-1)).toMatchObject({ type: 'refused', reason: 'length' })
    await clock.advance(1)
    await Promise.all(ends)
  })

  it('refuses what would be answered after its deadline, and says when to come back', async () => {
    const { clock, writer, events } = setup({
      change: (good, time) => ({ commit: (batch) => time.sleep(100).then(() => good.commit(batch)) }),
    })
    const first = writer.write('a', one)
    await clock.advance(100)
    await first
    expect(writer.stats().lanes).toMatchObject([{ fixedMs: 100, perWriteMs: 0 }])
    const second = writer.write('a', one)
    await clock.settle()
    // What is in the store and its own batch take 100 ms each.
    await expect(writer.write('a', one, { deadlineMs: 150 })).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 50 })
    expect(events.at(-1)).toEqual({ type: 'refused', reason: 'deadline', retryAfterMs: 50 })
    const third = writer.write('a', one, { deadlineMs: 250 })
    await clock.advance(200)
    await Promise.all([second, third])
  })

  it('lets a write to an idle lane in, however slow the last ones were', async () => {
    let commitMs = 4_000
    const { clock, writer } = setup({
      deadlineMs: 1_000,
      change: (good, time) => ({ commit: (batch) => time.sleep(commitMs).then(() => good.commit(batch)) }),
    })
    const slow = ending(clock, writer.write('a', one))
    await clock.advance(4_000)
    expect(await slow).toMatchObject({ code: 'TIMEOUT' })
    commitMs = 1
    const quick = ending(clock, writer.write('a', one))
    await clock.advance(1)
    expect(await quick).toMatchObject({ sequence: 2 })
  })

  it('refuses a command over commandLengthMax as REJECTED', async () => {
    const { writer } = setup({ commandLengthMax: 14 })
    await writer.write('a', one)
    await expect(writer.write('a', { quantity: 10 })).rejects.toThrow('15 characters long, over the 14 allowed')
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

describe('arguments', () => {
  it.each([
    ['key', () => ['', one, {}]],
    ['key', () => ['k'.repeat(513), one, {}]],
    ['key', () => [7, one, {}]],
    ['id', () => ['a', one, { id: '' }]],
    ['deadlineMs', () => ['a', one, { deadlineMs: 0 }]],
    ['deadlineMs', () => ['a', one, { deadlineMs: Number.NaN }]],
    ['command', () => ['a', undefined, {}]],
    ['command', () => ['a', new Date(0), {}]],
    ['command', () => ['a', { quantity: 1n }, {}]],
    ['command', () => ['a', { z: 1, a: new Map() }, {}]],
    ['command', () => ['a', { quantity: Number.NaN }, {}]],
    ['command', () => ['a', [() => 1], {}]],
    ['command', () => ['a', cyclic(), {}]],
  ])('%s out of range is named in a rejection', async (name, args) => {
    const { writer } = setup({})
    const write = writer.write as (...args: unknown[]) => Promise<unknown>
    const error = await write(...args()).catch((thrown: unknown) => thrown)
    expect(error).not.toBeInstanceOf(HeadraceError)
    expect((error as Error).message).toMatch(new RegExp(`^${name} `))
    expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0 })
  })

  it.each([
    ['name', { name: '1st' }],
    ['name', { name: 'a'.repeat(49) }],
    ['initial', { initial: 7 }],
    ['decide', { decide: undefined }],
    ['store.open', { store: {} }],
    ['locks.acquire', { locks: {} }],
    ['queue.publish', { queue: {} }],
    ['partitions', { partitions: 4_097 }],
    ['partitions', { partitions: 0 }],
    ['waitingMax', { waitingMax: 0 }],
    ['waitingLengthMax', { waitingLengthMax: 0 }],
    ['commandLengthMax', { commandLengthMax: 1.5 }],
    ['batchMax', { batchMax: 0 }],
    ['statesMax', { statesMax: 0 }],
    ['receiptsMax', { receiptsMax: -1 }],
    ['deadlineMs', { deadlineMs: 0 }],
    ['storeTimeoutMs', { storeTimeoutMs: Number.POSITIVE_INFINITY }],
    ['drainMs', { drainMs: -1 }],
    ['observe', { observe: {} }],
  ])('the option %s out of range is named when the writer is made', (name, options) => {
    const good = { name: 'sale', initial: () => ({ left: 1 }), decide: sell, store: memoryStore() }
    expect(() => createWriter({ ...good, ...options } as never)).toThrow(new RegExp(`^${name} `))
  })
})

function cyclic(): unknown {
  const command: { self?: unknown } = {}
  command.self = command
  return command
}
