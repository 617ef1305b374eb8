import { createLocks, type LockDriver } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { expect, it } from 'vitest'
import { ending, setup } from './setup.ts'

it('shared leases of a key go together, and an exclusive one waits for all of them', async () => {
  const { clock, locks, others } = setup()
  const first = await locks.acquire('k', { mode: 'shared' })
  const second = await others.acquire('k', { mode: 'shared' })
  expect(second.token).toBeGreaterThan(first.token)
  const writer = locks.acquire('k')
  await clock.settle()
  await first.release()
  expect(await others.tryAcquire('k', { mode: 'shared' })).toBeNull()
  await second.release()
  const lease = await writer
  expect(lease.token).toBeGreaterThan(second.token)
  expect(await others.tryAcquire('k', { mode: 'shared' })).toBeNull()
  await lease.release()
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it('a writer is not starved by readers that keep coming', async () => {
  const { clock, locks } = setup()
  const order: string[] = []
  const read = (name: string) => locks.withLock('k', () => void order.push(name), { mode: 'shared' })
  const first = await locks.acquire('k', { mode: 'shared' })
  const all = [locks.withLock('k', () => void order.push('writer')), read('r1'), read('r2')]
  await clock.settle()
  await first.release()
  await Promise.all(all)
  expect(order).toEqual(['writer', 'r1', 'r2'])
})

it('a semaphore grants its permits and no more, first come, first served', async () => {
  const { clock, locks, others } = setup()
  const pool = locks.semaphore('pool', 3)
  const two = await pool.acquire({ permits: 2 })
  expect(await others.semaphore('pool', 3).tryAcquire({ permits: 2 })).toBeNull()
  const one = await others.semaphore('pool', 3).acquire()
  const order: string[] = []
  const all = [
    pool.withPermits(() => void order.push('three'), { permits: 3 }),
    others.semaphore('pool', 3).withPermits(() => void order.push('one')),
  ]
  await clock.settle()
  await one.release()
  await clock.settle()
  expect(order).toEqual([])
  await two.release()
  await Promise.all(all)
  expect(order).toEqual(['three', 'one'])
})

it('a semaphore refuses permits that it does not have', async () => {
  const { locks } = setup()
  expect(() => locks.semaphore('pool', 0)).toThrow(/permits must be from 1/)
  expect(() => locks.semaphore('', 1)).toThrow(/key/)
  await expect(locks.semaphore('pool', 2).acquire({ permits: 3 })).rejects.toThrow(/permits must be from 1 to 2/)
  await expect(locks.acquire('k', { mode: 'both' as never })).rejects.toThrow(/mode must be exclusive or shared/)
})

it('a driver with exclusive leases only says so', async () => {
  const memory = memoryLocks()
  const plain: LockDriver = { ...memory, supports: { ...memory.supports, shared: false, evict: false, inspect: false } }
  const locks = createLocks(plain)
  expect(() => locks.semaphore('pool', 2)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  await expect(locks.acquire('k', { mode: 'shared' })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  await expect(locks.inspect('k')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  await expect(locks.revoke('k')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  await expect(locks.force('k')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
})

it('several keys are taken together or not at all', async () => {
  const { clock, locks, others } = setup()
  const taken = await others.acquire('b')
  const waiting = ending(clock, locks.acquireAll(['c', 'b', 'a'], { waitMs: 100 }))
  await clock.advance(100)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 100 })
  for (const key of ['a', 'c']) expect(await others.inspect(key)).toBeNull()
  await taken.release()
  const set = await locks.acquireAll(['c', 'b', 'a', 'c'])
  expect(set.leases.map(({ key }) => key)).toEqual(['c', 'b', 'a'])
  expect(set.of('b').key).toBe('b')
  expect(() => set.of('d')).toThrow(RangeError)
  expect(set.held).toBe(true)
  expect(await set.guard((signal) => signal.aborted)).toBe(false)
  expect(await set.release()).toBe(true)
  await expect(set.guard(() => 1)).rejects.toMatchObject({ code: 'LOST' })
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it('a set is lost with the first of its leases', async () => {
  const { clock, locks, others } = setup()
  const set = await locks.acquireAll(['a', 'b'])
  const { signal } = set
  await others.force('b')
  await clock.settle()
  expect(set.held).toBe(false)
  expect(signal.reason).toMatchObject({ code: 'LOST', cause: 'forced' })
  expect(await set.release()).toBe(false)
  expect(await others.inspect('a')).toBeNull()
})

it('who dies in the middle of a set leaves what it had for no longer than its ttl', async () => {
  const { clock, driver, locks, others } = setup()
  const dead = driver.open({ clock, session: 'dead', granted() {}, lost() {}, asked() {}, missed() {} })
  const held = await locks.acquire('c')
  // It has two of three, waits for the last one, and is never heard of again.
  const request = { ttlMs: 1_000, tokens: 1 }
  await dead.acquire(['a', 'b'].map((key, n) => ({ ...request, key, id: `dead.${n}`, waitMs: 0 })))
  await dead.acquire([{ ...request, key: 'c', id: 'dead.2', waitMs: 60_000 }])
  const waiting = ending(
    clock,
    others.acquireAll(['a', 'b', 'c'], { waitMs: 30_000 }).then((set) => set.held),
  )
  await clock.advance(100)
  await held.release()
  await clock.advance(3_000)
  expect(await waiting).toMatchObject({ value: true })
})

it('random sets of keys from many callers neither deadlock nor starve', async () => {
  const { clock, locks, others } = setup({ waitMs: 60_000 })
  const keys = ['a', 'b', 'c', 'd', 'e', 'f']
  const inside = new Set<string>()
  let done = 0
  const call = async (n: number) => {
    const own = keys.filter((_, at) => ((n * 2_654_435_761) >>> at) & 1)
    if (own.length === 0) own.push('a')
    await (n % 2 ? locks : others).withLock(own.reverse(), async () => {
      for (const key of own) {
        expect(inside.has(key)).toBe(false)
        inside.add(key)
      }
      await clock.sleep(1 + (n % 3))
      for (const key of own) inside.delete(key)
    })
    done++
  }
  const all = Promise.all(Array.from({ length: 120 }, (_, n) => call(n)))
  await clock.advance(1_000)
  expect(done).toBe(120)
  await all
})

it.each([
  [[], /keys must be from 1/],
  [['a', ''], /key must not be empty/],
  [7 as never, /keys must be/],
])('the keys %j are refused', async (keys, message) => {
  const { locks, clock } = setup()
  await expect(locks.acquireAll(keys)).rejects.toThrow(message)
  await clock.settle()
  expect(clock.pending).toBe(0)
})
