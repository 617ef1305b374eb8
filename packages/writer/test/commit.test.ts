import type { CommitOutcome } from '@headrace/writer'
import { describe, expect, it } from 'vitest'
import { failsAfter, failsBefore, inTurn } from './failing.ts'
import { ending, gate, setup } from './subject.ts'

const one = { quantity: 1 }

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
