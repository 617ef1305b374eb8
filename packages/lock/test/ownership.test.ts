import { expect, it } from 'vitest'
import { ending, setup } from './setup.ts'

it('revoke asks the holder, and takes nothing', async () => {
  const { clock, locks, others, events } = setup()
  const lease = await locks.acquire('k')
  const { wanted } = lease
  expect(await others.revoke('k')).toBe(1)
  await clock.settle()
  expect(wanted.aborted).toBe(true)
  expect(lease.wanted.aborted).toBe(true)
  expect(lease.held).toBe(true)
  expect(events.at(-1)).toEqual({ type: 'asked', key: 'k', token: lease.token })
  expect(await lease.release()).toBe(true)
  expect(await others.revoke('k')).toBe(0)
})

it('who was asked does not hand the key on inside its process', async () => {
  const { clock, locks, others } = setup()
  const order: string[] = []
  const lease = await locks.acquire('k')
  const all = [locks.withLock('k', () => void order.push('own')), others.withLock('k', () => void order.push('other'))]
  await clock.settle()
  await others.revoke('k')
  await clock.settle()
  await lease.release()
  await Promise.all(all)
  expect(order).toEqual(['other', 'own'])
})

it('force takes the key, and the next token is newer', async () => {
  const { clock, locks, others, events } = setup()
  const lease = await locks.acquire('k')
  expect(await others.force('k')).toBe(1)
  await clock.settle()
  expect(lease.held).toBe(false)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'forced' })
  expect(events.at(-1)).toEqual({ type: 'lost', key: 'k', token: lease.token, cause: 'forced' })
  expect((await others.acquire('k')).token).toBeGreaterThan(lease.token)
  expect(await lease.release()).toBe(false)
})

it('inspect says who holds, with which token, who waits, and since when', async () => {
  const { clock, locks, others } = setup({ label: 'api-1' })
  const lease = await locks.acquire('k')
  await clock.advance(100)
  void others.acquire('k', { label: 'batch' }).catch(() => {})
  await clock.advance(50)
  const state = await others.inspect('k')
  expect(state?.holders).toMatchObject([{ label: 'api-1', token: lease.token, forMs: 150, leftMs: 9_850 }])
  expect(state?.queue).toMatchObject([{ label: 'batch', forMs: 50 }])
})

it('a backend that cannot say is UNAVAILABLE, and one that hangs is TIMEOUT', async () => {
  const { clock, locks } = setup({
    change: () => ({ inspect: () => Promise.reject(new Error('ECONNREFUSED')), evict: () => new Promise(() => {}) }),
  })
  await expect(locks.inspect('k')).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: { message: 'ECONNREFUSED' } })
  const forced = ending(clock, locks.force('k'))
  await clock.advance(2_000)
  expect(await forced).toEqual({ code: 'TIMEOUT', atMs: 2_000 })
  await expect(locks.inspect('')).rejects.toThrow(RangeError)
})

it('leads one term after the other, each with a newer token, one leader at a time', async () => {
  const { clock, locks, others } = setup()
  const stop = new AbortController()
  const terms: [string, bigint][] = []
  const candidate = async (name: string, from: typeof locks) => {
    for await (const term of from.lead('leader', { signal: stop.signal })) {
      terms.push([name, term.token])
      await clock.sleep(1_000, term.signal).catch(() => {})
      if (terms.length === 4) stop.abort()
    }
  }
  const all = [candidate('a', locks), candidate('b', others)]
  await clock.advance(10_000)
  await Promise.all(all)
  expect(terms.map(([name]) => name)).toEqual(['a', 'b', 'a', 'b'])
  expect(terms.map(([, token]) => token)).toEqual(terms.map(([, token]) => token).sort((a, b) => (a < b ? -1 : 1)))
  expect(await locks.inspect('leader')).toBeNull()
  expect(clock.pending).toBe(0)
})

it('a candidate survives an outage, and a term ends with the loop', async () => {
  let down = true
  const { clock, locks } = setup({
    change: (good) => ({ acquire: (r) => (down ? Promise.reject(new Error('ECONNREFUSED')) : good.acquire(r)) }),
  })
  const led = (async () => {
    for await (const term of locks.lead('leader')) return term
    return undefined
  })()
  await clock.advance(3_000)
  down = false
  await clock.advance(10_000)
  const term = await led
  expect(term?.held).toBe(false)
  expect(await locks.tryAcquire('leader')).not.toBeNull()
})

it('a candidate is told of what no waiting cures', async () => {
  const { locks } = setup()
  await locks.close()
  const lead = async () => {
    for await (const _ of locks.lead('leader')) return
  }
  await expect(lead()).rejects.toMatchObject({ code: 'CLOSED' })
})

it('with reentrancy the inner call gets the lease of the outer one, across awaits', async () => {
  const { clock, locks, others } = setup({ reentrancy: 'async-context' })
  await locks.withLock('k', async (outer) => {
    await clock.settle()
    const inner = await locks.acquire('k')
    expect(inner.token).toBe(outer.token)
    expect(await locks.withLock(['j', 'k'], (set) => set.of('k').token)).toBe(outer.token)
    expect(await inner.release()).toBe(true)
    expect(inner.held).toBe(false)
    await expect(inner.guard(() => 1)).rejects.toMatchObject({ code: 'LOST' })
    // The inner release did not give the key back.
    expect(outer.held).toBe(true)
    expect(await others.tryAcquire('k')).toBeNull()
  })
  expect(await others.tryAcquire('k')).not.toBeNull()
})

it('with reentrancy a promise that outlives its scope cannot use the lease', async () => {
  const { clock, locks, others } = setup({ reentrancy: 'async-context' })
  let detached: Promise<unknown> = Promise.resolve()
  await locks.withLock('k', () => {
    detached = clock.sleep(10).then(() => locks.tryAcquire('k'))
  })
  const other = await others.acquire('k')
  await clock.advance(10)
  expect(await detached).toBeNull()
  await other.release()
})

it('with reentrancy an upgrade from shared to exclusive is refused', async () => {
  const { locks } = setup({ reentrancy: 'async-context' })
  await locks.withLock(
    'k',
    async () => {
      await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
      expect((await locks.acquire('k', { mode: 'shared' })).held).toBe(true)
    },
    { mode: 'shared' },
  )
})

it('without reentrancy an inner call for the same key waits its time out', async () => {
  const { clock, locks } = setup()
  const work = locks.withLock('k', () => ending(clock, locks.acquire('k', { waitMs: 100 })))
  await clock.advance(100)
  expect(await work).toEqual({ code: 'TIMEOUT', atMs: 100 })
})
