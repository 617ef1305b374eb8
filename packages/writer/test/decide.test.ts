import { manualClock } from '@headrace/core/testing'
import { createWriter, type Decision } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'
import { describe, expect, it } from 'vitest'

type Any = { readonly [name: string]: unknown }
type Answered = Decision<Any, unknown, unknown>

function setup(decide: (state: Any, command: number) => Answered, initial: (key: string) => Any = () => ({ n: 0 })) {
  return createWriter<Any, number, unknown, unknown>({
    ...{ name: 'any', initial, decide, store: memoryStore(), clock: manualClock() },
  })
}

const good = (state: Any): Answered => ({ state: { n: (state['n'] as number) + 1 }, result: 'good' })
const cycle: { self?: unknown } = {}
cycle.self = cycle
const deep = JSON.parse(`${'['.repeat(70)}${']'.repeat(70)}`) as unknown

class Money {
  readonly cents = 1
}

describe('a decide that', () => {
  it.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('no such product')
      },
      'decide failed: no such product',
    ],
    [
      'throws what has no text',
      () => {
        throw Object.create(null)
      },
      'decide failed: object',
    ],
    [
      'throws a symbol',
      () => {
        throw Symbol('s')
      },
      'decide failed: symbol',
    ],
    ['returns nothing', () => undefined, 'returned undefined'],
    ['returns null', () => null, 'returned null'],
    ['returns no result', () => ({ state: { n: 1 } }), 'returned no result'],
    ['is async', async () => ({ result: 1 }), 'must not be async'],
    ['is async and fails', () => Promise.reject(new Error('later')), 'must not be async'],
    ['returns a Date', () => ({ result: new Date(0) }), 'result is a Date'],
    ['returns a Map in its state', () => ({ state: { a: [new Map()] }, result: 1 }), 'state.a[0] is a Map'],
    ['returns NaN', () => ({ state: { n: Number.NaN }, result: 1 }), 'state.n is NaN'],
    ['returns a bigint', () => ({ result: 1n }), 'result is a bigint'],
    ['returns a function', () => ({ result: { run() {} } }), 'result.run is a function'],
    ['returns undefined in a list', () => ({ result: [undefined] }), 'result[0] is undefined'],
    ['returns a cycle', () => ({ state: cycle, result: 1 }), 'contains itself'],
    ['returns 70 levels', () => ({ state: { deep }, result: 1 }), 'nested more than 64 deep'],
    ['returns an instance of a class', () => ({ result: new Money() }), 'result is a Money'],
    ['returns what has a toJSON', () => ({ result: { toJSON: () => 1 } }), 'with toJSON'],
    ['changes the state in place', (state = {}) => Object.assign(state as object, { n: 7 }), 'decide failed'],
    ['returns events without a queue', () => ({ result: 1, events: [1] }), 'the writer has no queue'],
  ])('%s refuses its own write, and the others of the batch go on', async (_, bad, message) => {
    const writer = setup((state, command) => (command === 2 ? (bad as (s: Any) => Answered)(state) : good(state)))
    const [before, poison, after] = await Promise.allSettled([1, 2, 3].map((command) => writer.write('k', command)))
    expect(before).toMatchObject({ status: 'fulfilled', value: { sequence: 1 } })
    expect(poison).toMatchObject({ status: 'rejected', reason: { code: 'REJECTED' } })
    expect(String((poison as PromiseRejectedResult).reason.message)).toContain(message)
    expect(after).toMatchObject({ status: 'fulfilled', value: { sequence: 2 } })
    expect(await writer.read('k')).toEqual({ n: 2 })
    expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0 })
  })

  it('refused a write may decide the same id again later', async () => {
    let broken = true
    const writer = setup((state) => {
      if (broken) throw new Error('not now')
      return good(state)
    })
    await expect(writer.write('k', 1, { id: 'x' })).rejects.toMatchObject({ code: 'REJECTED' })
    broken = false
    expect(await writer.write('k', 1, { id: 'x' })).toMatchObject({ sequence: 1, replayed: false })
  })

  it('leaves the state as it is without a state in its decision, and still takes a sequence number', async () => {
    const writer = setup(() => ({ result: 'no' }))
    expect(await writer.write('k', 1)).toMatchObject({ sequence: 1, result: 'no' })
    expect(await writer.write('k', 1)).toMatchObject({ sequence: 2 })
    expect(await writer.read('k')).toEqual({ n: 0 })
  })

  it('gets null back where it stored null', async () => {
    const seen: unknown[] = []
    const writer = createWriter<unknown, number, null>({
      ...{ name: 'nulls', initial: () => 0, store: memoryStore(), clock: manualClock() },
      decide: (state) => {
        seen.push(state)
        return { state: null, result: null }
      },
    })
    expect(await writer.write('k', 1)).toMatchObject({ result: null })
    await writer.write('k', 1)
    expect(seen).toEqual([0, null])
  })

  it('wraps the state before in every write is refused before the state is too deep to be read back', async () => {
    const store = memoryStore()
    const create = () =>
      createWriter<Any, number, number>({
        ...{ name: 'wraps', initial: () => ({}), store, clock: manualClock() },
        decide: (state) => ({ state: { before: state }, result: 1 }),
      })
    const writer = create()
    for (let write = 0; write < 64; write++) await writer.write('k', 1)
    await expect(writer.write('k', 1)).rejects.toMatchObject({ code: 'REJECTED' })
    const again = create()
    await expect(again.write('k', 1)).rejects.toThrow('nested more than 64 deep')
    expect(await again.write('other', 1)).toMatchObject({ sequence: 1 })
  })

  it('changes in place what was read back from the store is refused too', async () => {
    const store = memoryStore()
    const create = (decide: (state: Any) => Answered) =>
      createWriter<Any, number, unknown, unknown>({
        ...{ name: 'any', initial: () => ({ n: 0 }), decide, store, clock: manualClock() },
      })
    const first = await create((state) => ({ ...good(state), result: { list: [1] } })).write('k', 1, { id: 'x' })
    const next = create((state) => ({ state: Object.assign(state as object, { n: 7 }), result: 1 }))
    await expect(next.write('k', 1)).rejects.toMatchObject({ code: 'REJECTED' })
    const again = await next.write('k', 1, { id: 'x' })
    expect(again).toEqual({ ...first, replayed: true })
    expect(Object.isFrozen((again.result as { list: number[] }).list)).toBe(true)
    expect(await next.read('k')).toEqual({ n: 1 })
  })

  it('hands its state out as the result hands it out frozen', async () => {
    const writer = setup((state) => ({ state, result: state }))
    const { result } = await writer.write('k', 1)
    expect(Object.isFrozen(result)).toBe(true)
  })
})

describe('an initial that', () => {
  it.each<[string, () => Any, string]>([
    [
      'throws',
      () => {
        throw new Error('unknown product')
      },
      'initial failed: unknown product',
    ],
    [
      'returns what JSON cannot hold',
      () => ({ at: new Date(0) }),
      'initial failed: initial state.at is a Date, which JSON cannot hold',
    ],
  ])('%s refuses the writes and reads of that key, and others go on', async (_, bad, message) => {
    const writer = setup(good, (key) => (key === 'bad' ? bad() : { n: 0 }))
    const [poison, other] = await Promise.allSettled([writer.write('bad', 1), writer.write('k', 1)])
    expect(poison).toMatchObject({ status: 'rejected', reason: { code: 'REJECTED', message } })
    expect(other).toMatchObject({ status: 'fulfilled' })
    await expect(writer.read('bad')).rejects.toMatchObject({ code: 'REJECTED', message })
  })
})
