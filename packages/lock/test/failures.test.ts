import { HeadraceError } from '@headrace/core'
import { expect, it } from 'vitest'
import { ending, never, setup } from './setup.ts'

it('a hung backend cannot outlast waitMs, and its late grant is given back', async () => {
  let answer = () => {}
  const slow = new Promise<void>((resolve) => {
    answer = resolve
  })
  const { clock, locks, others } = setup({ change: (good) => ({ acquire: (r) => slow.then(() => good.acquire(r)) }) })
  const waiting = ending(clock, locks.acquire('k', { waitMs: 300 }))
  await clock.advance(300)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 300 })
  answer()
  await clock.settle()
  expect(await others.tryAcquire('k')).not.toBeNull()
})

it('a grant that comes after the limit of a call is given back', async () => {
  let answer = () => {}
  const slow = new Promise<void>((resolve) => {
    answer = resolve
  })
  const { clock, locks, others } = setup({ change: (good) => ({ acquire: (r) => slow.then(() => good.acquire(r)) }) })
  const waiting = ending(clock, locks.acquire('k', { waitMs: 60_000 }))
  await clock.advance(2_000)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 2_000 })
  answer()
  await clock.settle()
  expect(await others.tryAcquire('k')).not.toBeNull()
})

it('a backend that cannot be reached is UNAVAILABLE at once, and what it may have granted is undone', async () => {
  let down = true
  const { clock, locks, others, events } = setup({
    change: (good) => ({
      // The grant is made and its answer is lost.
      acquire: async (requests) => {
        const answers = await good.acquire(requests)
        if (down) throw new Error('ECONNRESET')
        return answers
      },
      release: async (requests) => {
        if (down) throw new Error('ECONNRESET')
        return good.release(requests)
      },
    }),
  })
  const error = await locks.acquire('k').catch((error) => error)
  expect(error).toMatchObject({ code: 'UNAVAILABLE', cause: { message: 'ECONNRESET' } })
  expect(await others.tryAcquire('k')).toBeNull()
  down = false
  await clock.advance(1_000)
  expect(await others.tryAcquire('k')).not.toBeNull()
  expect(events).toContainEqual({ type: 'failed', key: 'k', operation: 'acquire', error })
})

it('h2: an answer that took longer than the ttl is not a lease', async () => {
  const { clock, locks } = setup({
    change: (good, clock) => ({
      acquire: async (requests) => {
        const answers = await good.acquire(requests)
        await clock.sleep(500)
        return answers
      },
    }),
  })
  const waiting = ending(clock, locks.acquire('k', { ttlMs: 300, waitMs: 900 }))
  await clock.advance(2_000)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 900 })
})

it('h7: leaving the scope neither hangs nor throws when the backend does', async () => {
  for (const release of [never, () => Promise.reject(new Error('ECONNREFUSED'))]) {
    const { clock, locks } = setup({ change: () => ({ release }) })
    const work = ending(
      clock,
      (async () => {
        await using _lease = await locks.acquire('k', { ttlMs: 1_000 })
        return 'result'
      })(),
    )
    await clock.advance(2_000)
    expect(await work).toMatchObject({ value: 'result' })
    await clock.advance(20_000)
    await clock.settle()
    expect(clock.pending).toBe(0)
  }
})

it('the failure of one request of a batch is UNAVAILABLE with its cause, or what the driver says it is', async () => {
  const errors: Record<string, unknown> = {
    broken: new Error('ECONNRESET'),
    refused: new HeadraceError('REJECTED', 'wrong password'),
  }
  const failing = <Answer>(requests: readonly { readonly key: string }[], answers: readonly Answer[]) =>
    answers.map((one, at) => {
      const error = errors[requests[at]!.key]
      return error ? { state: 'failed' as const, error } : one
    })
  const { clock, locks, events } = setup({
    change: (good) => ({
      acquire: async (requests) => failing(requests, await good.acquire(requests)),
      renew: async (requests) => failing(requests, await good.renew(requests)),
    }),
  })
  const [broken, refused, good] = await Promise.allSettled(
    ['broken', 'refused', 'good'].map((key) => locks.acquire(key, { ttlMs: 2_400 })),
  )
  expect(broken).toMatchObject({ reason: { code: 'UNAVAILABLE', cause: errors['broken'] } })
  expect(refused).toMatchObject({ reason: errors['refused'] })
  expect(good).toMatchObject({ status: 'fulfilled' })
  errors['good'] = errors['broken']
  await clock.advance(850)
  expect(events.filter((event) => event.type === 'failed')).toMatchObject([
    { key: 'broken', operation: 'acquire', error: { code: 'UNAVAILABLE' } },
    { key: 'refused', operation: 'acquire', error: errors['refused'] },
    { key: 'good', operation: 'renew', error: { code: 'UNAVAILABLE', cause: errors['broken'] } },
  ])
})

it('a driver that gives fewer answers than it got requests fails them all', async () => {
  const { locks } = setup({ change: () => ({ acquire: async () => [] }) })
  await expect(locks.acquire('k')).rejects.toThrow(/1 requests got 0 answers/)
})
