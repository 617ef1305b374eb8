import { createLocks, type LockDriver, type Locks, type LocksOptions } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { describe, expect, it } from 'vitest'
import { ending, never, setup } from './subject.ts'

const one = { quantity: 1 }
const lockKey = 'headrace/writer/sale/0'

function locked(options: { readonly change?: Parameters<typeof setup>[0]['change'] } = {}) {
  const subject = setup(options.change ? { change: options.change } : {})
  const { clock } = subject
  const driver = memoryLocks({ clock })
  const locksOf = (own: LocksOptions = {}): Locks => createLocks(driver, { clock, ...own })
  const locks = locksOf()
  return { ...subject, driver, locks, locksOf, writer: subject.create({ locks }) }
}

describe('with locks, an owner', () => {
  it('commits under the token of its lease and keeps it between batches', async () => {
    const { writer, locks, events } = locked()
    await writer.write('a', one)
    const held = await locks.inspect(lockKey)
    await writer.write('a', one)
    expect(events.flatMap((event) => (event.type === 'owned' ? event.token : []))).toEqual([held!.holders[0]!.token])
  })

  it('keeps others out until it closes, which gives the lease back', async () => {
    const { clock, writer, locksOf, create } = locked()
    await writer.write('a', one)
    const other = create({ locks: locksOf() })
    const waits = ending(clock, other.write('a', one, { deadlineMs: 100 }))
    await clock.advance(100)
    expect(await waits).toEqual({ code: 'UNAVAILABLE', atMs: 100 })
    const next = ending(clock, other.write('a', one))
    await writer.close()
    await clock.advance(20)
    expect(await next).toMatchObject({ sequence: 2, atMs: 100 })
  })

  it('whose lease ended takes a new one, with a greater token, before it commits again', async () => {
    const { clock, driver, create, events } = locked()
    const unrenewed: LockDriver = { ...driver, open: (told) => ({ ...driver.open(told), renew: never }) }
    const writer = create({ locks: createLocks(unrenewed, { clock, ttlMs: 1_000 }) })
    await writer.write('a', one)
    await clock.advance(1_100)
    const end = ending(clock, writer.write('a', one))
    await clock.advance(100)
    expect(await end).toMatchObject({ sequence: 2 })
    const [first, second, ...others] = events.flatMap((event) => (event.type === 'owned' ? event.token : []))
    expect(second! > first!).toBe(true)
    expect(others).toEqual([])
  })

  it('is fenced by the store where the locks have no tokens', async () => {
    const { clock, create, good } = locked()
    // Two services that know nothing of each other: both owners hold the key, as after a pause, and neither has a token.
    const tokenless = (): Locks => {
      const driver = memoryLocks({ clock })
      const open: LockDriver['open'] = (told) => {
        const session = driver.open(told)
        const bare = (standings: Awaited<ReturnType<typeof session.acquire>>) =>
          standings.map((standing) => (standing.state === 'held' ? { ...standing, token: 0n, tokens: 1 } : standing))
        return { ...session, acquire: async (requests) => bare(await session.acquire(requests)) }
      }
      const supports = { ...driver.supports, fencing: false }
      return createLocks({ ...driver, supports, open }, { clock, fencing: 'none' })
    }
    const [a, b] = [create({ locks: tokenless() }), create({ locks: tokenless() })]
    await a.write('k', one)
    await b.write('k', one)
    expect(await ending(clock, a.write('k', one))).toEqual({ code: 'STALE', atMs: 0 })
    expect(await a.write('k', one)).toMatchObject({ sequence: 3 })
    const ledger = await good.open('sale', 1)
    expect((await ledger.load(['k'], [])).states).toMatchObject([{ sequence: 3, state: '{"left":7}' }])
  })

  it('fails the line at once where the locks are closed', async () => {
    const { clock, writer, locks } = locked()
    await writer.write('a', one)
    await locks.close()
    expect(await ending(clock, writer.write('a', one))).toEqual({ code: 'CLOSED', atMs: 0 })
  })

  it('that was paused past its lease commits nothing: the store has seen a newer token', async () => {
    let pause = Promise.resolve()
    const subject = locked({ change: (good) => ({ commit: (batch) => pause.then(() => good.commit(batch)) }) })
    const { clock, writer, good, create, locksOf, locks } = subject
    await writer.write('a', one)
    const paused = Promise.withResolvers<void>()
    pause = paused.promise
    const stale = ending(clock, writer.write('a', one, { id: 'x' }))
    await clock.settle()
    // While the commit is on its way, the lease ends and somebody else takes over.
    const lease = await locks.inspect(lockKey)
    expect(lease?.holders).toHaveLength(1)
    const usurped = await good.open('sale', 1)
    await usurped.seal(0, 2n ** 62n)
    paused.resolve()
    await clock.settle()
    expect(await stale).toMatchObject({ code: 'STALE' })
    expect((await usurped.load([], ['x'])).receipts).toEqual([])
    await create({ locks: locksOf() }).close()
  })

  it('gives the lease back when the store cannot be used, so that another process can try', async () => {
    const { clock, writer, locksOf } = locked({ change: () => ({ seal: () => Promise.reject(new Error('broken')) }) })
    const end = ending(clock, writer.write('a', one, { deadlineMs: 200 }))
    await clock.settle()
    const lease = await locksOf().acquire(lockKey, { waitMs: 1_000 })
    expect(lease.held).toBe(true)
    await lease.release()
    await clock.advance(200)
    expect(await end).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('whose lock is older than what the store has seen is told, and tries again', async () => {
    const { clock, writer, ledger, events } = locked()
    await (await ledger()).seal(0, 2n ** 62n)
    const end = ending(clock, writer.write('a', one, { deadlineMs: 100 }))
    await clock.advance(100)
    expect(await end).toMatchObject({ code: 'UNAVAILABLE' })
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'failed', error: expect.objectContaining({ code: 'STALE' }) }),
    )
  })

  it('stops to wait for the lock when it closes', async () => {
    const { clock, writer, locksOf } = locked()
    await using _ = await locksOf().acquire(lockKey)
    const end = ending(clock, writer.write('a', one, { deadlineMs: 60_000 }))
    await clock.settle()
    const closed = writer.close({ signal: AbortSignal.abort() })
    await clock.settle()
    await closed
    expect(await end).toEqual({ code: 'CLOSED', atMs: 0 })
    expect((await locksOf().inspect(lockKey))?.queue).toEqual([])
  })

  it('releases a lease whose seal was under way when it closed', async () => {
    const { clock, writer, locksOf } = locked({ change: () => ({ seal: never }) })
    const end = ending(clock, writer.write('a', one))
    await clock.settle()
    await writer.close({ signal: AbortSignal.abort() })
    expect(await end).toMatchObject({ code: 'CLOSED' })
    expect(await locksOf().inspect(lockKey)).toBeNull()
  })
})
