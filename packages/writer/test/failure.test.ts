import { describe, expect, it } from 'vitest'
import { failsAfter, failsBefore, inTurn } from './failing.ts'
import { ending, gate, never, setup } from './subject.ts'

const one = { quantity: 1 }

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
