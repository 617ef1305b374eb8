import type { CommitOutcome } from '@headrace/writer'
import { describe, expect, it } from 'vitest'
import { ending, gate, never, setup } from './subject.ts'

const one = { quantity: 1 }

/** Fails the first calls in the ways that are listed, then lets the others through. */
function inTurn<Args extends unknown[], Value>(
  good: (...args: Args) => Promise<Value>,
  ways: ((run: () => Promise<Value>) => Promise<Value>)[],
): (...args: Args) => Promise<Value> {
  let calls = 0
  return (...args) => (ways[calls++] ?? ((run) => run()))(() => good(...args))
}

const failsBefore = () => Promise.reject(new Error('broken'))
const failsAfter = async (run: () => Promise<unknown>): Promise<never> => {
  await run()
  throw new Error('the connection broke')
}

describe('a commit', () => {
  it('that took effect while its answer was lost is answered once the store is asked again', async () => {
    const { clock, writer, events } = setup({ change: (good) => ({ commit: inTurn(good.commit, [failsAfter]) }) })
    const ends = [ending(clock, writer.write('a', one)), ending(clock, writer.write('a', one))]
    await clock.advance(100)
    const answers = await Promise.all(ends)
    // It is the first answer that this caller gets: nothing is repeated.
    expect(answers).toMatchObject([
      { sequence: 1, replayed: false },
      { sequence: 2, replayed: false },
    ])
    expect(await writer.read('a')).toEqual({ left: 8 })
    expect(events.map((event) => event.type)).toEqual(['owned', 'failed', 'owned'])
  })

  it('that failed before it took effect is sent again under a greater token', async () => {
    const { clock, writer, events } = setup({ change: (good) => ({ commit: inTurn(good.commit, [failsBefore]) }) })
    const end = ending(clock, writer.write('a', one))
    await clock.advance(100)
    expect(await end).toMatchObject({ sequence: 1, replayed: false })
    expect(events.flatMap((event) => (event.type === 'owned' ? event.token : []))).toEqual([1n, 2n])
  })

  it('that failed goes back in front of what came meanwhile', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ commit: inTurn(good.commit, [() => open.promise.then(failsBefore)]) }),
    })
    const first = ending(clock, writer.write('a', one))
    await clock.settle()
    const second = ending(clock, writer.write('a', one))
    open.resolve()
    await clock.advance(100)
    expect(await Promise.all([first, second])).toMatchObject([{ sequence: 1 }, { sequence: 2 }])
  })

  it('that fails is not tried for writes that nobody waits for any more', async () => {
    let commits = 0
    const { clock, writer } = setup({
      change: () => ({
        commit() {
          commits++
          return clock.sleep(50).then(failsBefore)
        },
      }),
    })
    const end = ending(clock, writer.write('a', one, { deadlineMs: 20 }))
    await clock.advance(20)
    expect(await end).toMatchObject({ code: 'TIMEOUT' })
    await clock.advance(1_000)
    expect(commits).toBe(1)
    expect(writer.stats().waiting).toBe(0)
    expect(clock.pending).toBe(0)
  })

  it('leaves nothing to read for the next batch with the same keys', async () => {
    let loads = 0
    const { writer } = setup({
      change: (good) => ({
        load(keys, ids) {
          loads++
          return good.load(keys, ids)
        },
      }),
    })
    for (let write = 0; write < 5; write++) await writer.write('a', one)
    expect(loads).toBe(1)
  })

  it('that hangs is given up after storeTimeoutMs, and cannot take effect any more', async () => {
    const late = gate()
    const { clock, writer } = setup({
      storeTimeoutMs: 200,
      change: (good) => ({ commit: inTurn(good.commit, [(run) => late.promise.then(run)]) }),
    })
    const end = ending(clock, writer.write('a', one))
    await clock.advance(300)
    expect(await end).toMatchObject({ sequence: 1, replayed: false })
    late.resolve()
    await clock.settle()
    expect(await writer.read('a')).toEqual({ left: 9 })
  })

  it('that is late but took effect before the next owner looked is not done again', async () => {
    const late = gate()
    const { clock, writer, ledger } = setup({
      storeTimeoutMs: 200,
      change: (good) => ({
        commit: inTurn(good.commit, [(run) => late.promise.then(run)]),
        seal: inTurn(good.seal, [
          (run) => run(),
          (run) => {
            late.resolve()
            return clock.settle().then(run)
          },
        ]),
      }),
    })
    const end = ending(clock, writer.write('a', one, { id: 'x' }))
    await clock.advance(300)
    expect(await end).toMatchObject({ sequence: 1, replayed: false })
    const { states } = await (await ledger()).load(['a'], [])
    expect(states).toMatchObject([{ sequence: 1 }])
  })

  it('that finds a newer owner fails as STALE, writes nothing, and the next write takes over', async () => {
    const { writer, create, events } = setup({})
    await writer.write('a', one)
    const other = create()
    await other.write('a', one)
    await expect(writer.write('a', one)).rejects.toMatchObject({ code: 'STALE' })
    expect(events.at(-1)).toMatchObject({ type: 'failed', error: { code: 'STALE' } })
    expect(await writer.write('a', one)).toMatchObject({ sequence: 3 })
    expect(await writer.read('a')).toEqual({ left: 7 })
  })

  it('that meets ids of an earlier owner answers those and commits the others', async () => {
    const { writer, create } = setup({})
    const other = create()
    await other.write('b', one, { id: 'known' })
    await writer.write('a', one)
    // The writer looks ids up only at first: this conflict shows at the commit.
    const [known, fresh] = await Promise.all([
      writer.write('b', one, { id: 'known' }),
      writer.write('a', one, { id: 'fresh' }),
    ])
    expect(known).toMatchObject({ sequence: 1, replayed: true })
    expect(fresh).toMatchObject({ sequence: 2, replayed: false })
  })

  it('that meets an id which was used for something else refuses that write only', async () => {
    const { clock, writer, create } = setup({})
    await create().write('b', one, { id: 'known' })
    await writer.write('a', one)
    const ends = await Promise.all([
      ending(clock, writer.write('b', { quantity: 2 }, { id: 'known' })),
      ending(clock, writer.write('a', one)),
    ])
    expect(ends).toMatchObject([{ code: 'REJECTED' }, { sequence: 2 }])
  })

  it('of a store that contradicts itself is repeated with pauses, never in a busy loop', async () => {
    let commits = 0
    const { clock, writer } = setup({
      change: () => ({
        commit: async (): Promise<CommitOutcome> => {
          commits++
          return { type: 'known', receipts: [] }
        },
      }),
    })
    const end = ending(clock, writer.write('a', one, { deadlineMs: 2_000 }))
    await clock.advance(2_000)
    expect(await end).toMatchObject({ code: 'UNAVAILABLE' })
    expect(commits).toBeGreaterThan(1)
    expect(commits).toBeLessThan(20)
  })

  it('that fails as REJECTED fails the line, at once', async () => {
    const { HeadraceError } = await import('@headrace/core')
    const { clock, writer } = setup({
      change: () => ({ commit: () => Promise.reject(new HeadraceError('REJECTED', 'no such column')) }),
    })
    expect(await ending(clock, writer.write('a', one))).toEqual({ code: 'REJECTED', atMs: 0 })
  })
})

describe('a failure', () => {
  it('of every kind leaves no write, no length and no timer behind', async () => {
    const { clock, writer } = setup({
      deadlineMs: 300,
      storeTimeoutMs: 50,
      change: (good) => ({
        seal: inTurn(good.seal, [failsBefore, () => never()]),
        load: inTurn(good.load, [failsBefore, () => never()]),
        commit: inTurn(good.commit, [failsBefore, failsAfter, () => never()]),
      }),
    })
    const ends = [1, 2, 3].map((at) => ending(clock, writer.write(`key-${at}`, one)))
    await clock.advance(20_000)
    await Promise.all(ends)
    expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0, lanes: [{ waiting: 0 }] })
    await writer.close()
    expect(clock.pending).toBe(0)
  })

  it('counts a write that is tried again once, and is forgotten after a success', async () => {
    const open = gate()
    const { clock, writer } = setup({
      batchMax: 1,
      change: (good) => ({ commit: inTurn(good.commit, [failsBefore, (run) => open.promise.then(run)]) }),
    })
    const first = ending(clock, writer.write('a', one))
    await clock.settle()
    expect(writer.stats().lanes[0]?.waiting).toBe(1)
    await clock.advance(100)
    open.resolve()
    expect(await first).toMatchObject({ sequence: 1 })
    // From here on a deadline that passes in line says nothing of the store any more.
    const slow = gate()
    const { writer: other, clock: time } = setup({
      batchMax: 1,
      change: (good) => ({
        commit: inTurn(good.commit, [failsBefore, (run) => run(), (run) => slow.promise.then(run)]),
      }),
    })
    const before = ending(time, other.write('a', one))
    await time.advance(100)
    await before
    const ahead = ending(time, other.write('a', one))
    await time.settle()
    const late = ending(time, other.write('a', one, { deadlineMs: 10 }))
    await time.advance(10)
    expect(await late).toMatchObject({ code: 'BUSY' })
    slow.resolve()
    await ahead
  })

  it('after a success is met with a short pause again', async () => {
    const { clock, writer } = setup({
      random: { next: () => 0.999 },
      change: (good) => ({
        commit: inTurn(good.commit, [...Array(6).fill(failsBefore), (run) => run(), failsBefore]),
      }),
    })
    const first = ending(clock, writer.write('a', one))
    await clock.advance(2_000)
    expect(await first).toMatchObject({ sequence: 1 })
    const second = ending(clock, writer.write('a', one))
    await clock.advance(100)
    expect(await second).toMatchObject({ sequence: 2 })
  })

  it('of a commit with a poisoned write in it counts nothing twice', async () => {
    const { clock, writer } = setup({
      waitingMax: 3,
      change: (good) => ({ commit: inTurn(good.commit, [failsBefore]) }),
      decide: (stock, { quantity }) => {
        if (quantity < 0) throw new Error('a negative quantity')
        return { state: { left: stock.left - quantity }, result: 'sold' }
      },
    })
    const ends = [
      ending(clock, writer.write('a', { quantity: -1 }, { id: 'p' })),
      ending(clock, writer.write('a', one)),
    ]
    await clock.advance(100)
    expect(await Promise.all(ends)).toMatchObject([{ code: 'REJECTED', atMs: 0 }, { sequence: 1 }])
    expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0 })
  })

  it('of every decision of a batch asks nothing more of the store', async () => {
    let commits = 0
    const { clock, writer } = setup({
      change: (good) => ({
        commit(batch) {
          commits++
          return good.commit(batch)
        },
      }),
      decide: () => {
        throw new Error('no')
      },
    })
    expect(await ending(clock, writer.write('a', one))).toMatchObject({ code: 'REJECTED' })
    await writer.close()
    expect(commits).toBe(0)
  })

  it('to open the store is tried again', async () => {
    const { clock, good, create } = setup({})
    const writer = create({ store: { open: inTurn(good.open, [failsBefore]) } })
    const end = ending(clock, writer.write('a', one))
    await clock.advance(100)
    expect(await end).toMatchObject({ sequence: 1 })
  })

  it('to open it in time closes what comes late', async () => {
    let closed = 0
    const late = gate()
    const { clock, good, create } = setup({})
    const open = async (name: string, partitions: number) => {
      const ledger = await good.open(name, partitions)
      return { ...ledger, close: async () => void closed++ }
    }
    const writer = create({
      storeTimeoutMs: 50,
      store: { open: inTurn(open, [(run) => late.promise.then(run)]) },
    })
    const end = ending(clock, writer.write('a', one))
    await clock.advance(200)
    expect(await end).toMatchObject({ sequence: 1 })
    late.resolve()
    await clock.settle()
    expect(closed).toBe(1)
  })

  it('of a number of partitions that differs is REJECTED at once', async () => {
    const { clock, writer, create } = setup({})
    await writer.write('a', one)
    expect(await ending(clock, create({ partitions: 2 }).write('a', one))).toEqual({ code: 'REJECTED', atMs: 0 })
  })

  it('of one stored state that cannot be read harms only the writes of its key', async () => {
    const { clock, writer } = setup({
      change: (good) => ({
        async load(keys, ids) {
          const loaded = await good.load(keys, ids)
          const broken = keys.includes('torn') ? [{ key: 'torn', sequence: 3, state: '{"left":' }] : []
          return { ...loaded, states: [...loaded.states, ...broken] }
        },
      }),
    })
    const ends = [
      ending(clock, writer.write('torn', one)),
      ending(clock, writer.write('a', one)),
      ending(clock, writer.write('torn', one)),
    ]
    expect(await Promise.all(ends)).toMatchObject([{ code: 'REJECTED' }, { sequence: 1 }, { code: 'REJECTED' }])
    await expect(writer.read('torn')).rejects.toMatchObject({ code: 'REJECTED' })
  })

  it('of one stored receipt that cannot be read harms only its id', async () => {
    const { clock, writer } = setup({
      change: (good) => ({
        async load(keys, ids) {
          const loaded = await good.load(keys, ids)
          const torn = { id: 'torn', key: 'a', sequence: 1, fingerprint: '', result: '"so' }
          return { ...loaded, receipts: ids.includes('torn') ? [torn] : [] }
        },
      }),
    })
    const ends = [ending(clock, writer.write('a', one, { id: 'torn' })), ending(clock, writer.write('a', one))]
    expect(await Promise.all(ends)).toMatchObject([{ code: 'REJECTED' }, { sequence: 1 }])
    expect(writer.stats().waiting).toBe(0)
  })
})
