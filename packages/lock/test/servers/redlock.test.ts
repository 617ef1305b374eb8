import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@headrace/core'
import { createLocks } from '@headrace/lock'
import { lockConformance } from '@headrace/lock/conformance'
import { redlockLocks } from '@headrace/lock/redlock'
import { type Server, startRedis } from '@headrace/stack'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshPrefix, onServer } from './redis-setup.ts'
import { nodeRedlock } from './redlock-setup.ts'

const { Redlock, IoredisClient, RedisjsClient } = await nodeRedlock()
const servers: Server[] = []
const clients: Redis[] = []

/** A Redlock over all three servers that tries once, with connections of its own. */
const freshRedlock = () => {
  const own = servers.map(({ url }) => new Redis(url, { maxRetriesPerRequest: 1 }))
  for (const client of own) client.on('error', () => {})
  clients.push(...own)
  return new Redlock(
    own.map((client) => new IoredisClient(client)),
    1,
    0,
  )
}

beforeAll(async () => {
  servers.push(...(await Promise.all([startRedis(), startRedis(), startRedis()])))
})
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await Promise.all(servers.map((server) => server.stop()))
})

describe('node-redlock on three nodes', () => {
  const supports = redlockLocks({
    acquireLock: async () => null,
    releaseLock: async () => {},
    renewLock: async () => false,
  }).supports
  lockConformance({
    test: it,
    supports,
    create() {
      const prefix = freshPrefix()
      return { subject: onServer(redlockLocks(freshRedlock(), { prefix }), redlockLocks(freshRedlock(), { prefix })) }
    },
  })

  it('no update of two processes is lost', async () => {
    const prefix = freshPrefix()
    const options = { fencing: 'none', pollMs: 5, waitMs: 20_000 } as const
    await using one = createLocks(redlockLocks(freshRedlock(), { prefix }), options)
    await using two = createLocks(redlockLocks(freshRedlock(), { prefix }), options)
    let counter = 0
    const add = async (n: number) => {
      for (let i = 0; i < 10; i++)
        await (n % 2 ? one : two).withLock('k', async (lease) => {
          const seen = counter
          await sleep(1)
          expect(lease.held).toBe(true)
          counter = seen + 1
        })
    }
    await Promise.all(Array.from({ length: 8 }, (_, n) => add(n)))
    expect(counter).toBe(80)
  })

  it('code that uses the Redlock by itself and code that uses locks keep each other out', async () => {
    const redlock = freshRedlock()
    const key = freshPrefix()
    await using locks = createLocks(redlockLocks(redlock), { fencing: 'none' })
    const own = await redlock.acquireLock(key, 5_000)
    expect(await locks.tryAcquire(key)).toBeNull()
    await redlock.releaseLock(key, own!.value)
    await using lease = await locks.acquire(key)
    expect(await redlock.acquireLock(key, 5_000)).toBeNull()
    expect(lease.token).toBe(0n)
  })

  it('refuses the client for npm redis of the package, with which everybody gets every lock', async () => {
    const client = await createClient({ url: servers[0]!.url }).connect()
    const redlock = new Redlock([new RedisjsClient(client)], 1, 0)
    const key = freshPrefix()
    expect([await redlock.acquireLock(key, 5_000), await redlock.acquireLock(key, 5_000)]).not.toContain(null)
    await using locks = createLocks(redlockLocks(redlock), { fencing: 'none' })
    await expect(locks.acquire(key)).rejects.toMatchObject({ code: 'REJECTED' })
    await client.close()
  })

  it('refuses a Redlock without nodes', async () => {
    await using locks = createLocks(redlockLocks(new Redlock([], 1, 0)), { fencing: 'none' })
    await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
  })

  it('with a node down it still acquires, but a lease ends after one ttl, because the package renews on all or none', async () => {
    const locks = createLocks(redlockLocks(freshRedlock(), { prefix: freshPrefix() }), { fencing: 'none', ttlMs: 600 })
    await locks.withLock('warm', () => {})
    await servers[2]!.kill()
    const lease = await locks.acquire('k')
    const began = systemClock.nowMs()
    await new Promise((resolve) => lease.signal.addEventListener('abort', resolve))
    const lostAfterMs = systemClock.nowMs() - began
    expect(lostAfterMs).toBeGreaterThan(300)
    expect(lostAfterMs).toBeLessThan(5_000)
    expect(lease.held).toBe(false)
    await servers[2]!.restart()
    await locks.close()
  })

  it('a lease outlives its ttl while every node answers', async () => {
    await using locks = createLocks(redlockLocks(freshRedlock(), { prefix: freshPrefix() }), {
      fencing: 'none',
      ttlMs: 300,
    })
    await using lease = await locks.acquire('k')
    await sleep(900)
    expect(lease.held).toBe(true)
    expect(await lease.release()).toBe(true)
  })

  it('a node that hangs makes the call time out, and what was granted after that is given back', async () => {
    const redlock = freshRedlock()
    const prefix = freshPrefix()
    await using locks = createLocks(redlockLocks(redlock, { prefix }), { fencing: 'none', callMs: 200, ttlMs: 30_000 })
    await locks.withLock('warm', () => {})
    servers[1]!.pause()
    await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'TIMEOUT' })
    servers[1]!.resume()
    await expect.poll(() => locks.tryAcquire('k')).not.toBeNull()
  })
})
