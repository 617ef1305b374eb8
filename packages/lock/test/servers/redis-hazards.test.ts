import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks, type Locks, type LocksOptions } from '@headrace/lock'
import { type RedisLocksOptions, redisLocks } from '@headrace/lock/redis'
import { type Server, startRedis } from '@headrace/stack'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freshPrefix } from './redis-setup.ts'

// These tests pause, restart, fill and flush their server, so it is one of their own.
let server: Server
let prefix: string
let open: { close(): unknown }[] = []

beforeAll(async () => {
  server = await startRedis({ appendOnly: false })
})
afterAll(() => server.stop())
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()))
  open = []
})

function connect(
  options: {
    commandTimeout?: number
    enableAutoPipelining?: boolean
    username?: string
    password?: string
    enableReadyCheck?: boolean
  } = {},
): Redis {
  const redis = new Redis(server.url, options)
  redis.on('error', () => {})
  open.push({ close: () => redis.disconnect() })
  return redis
}

/** The locks of another process, as far as Redis can tell. */
function locksOn(redis: Redis, options: LocksOptions & RedisLocksOptions = {}): Locks {
  const { claimMs, tokenKeepMs, ...rest } = options
  const own = { ...(claimMs && { claimMs }), ...(tokenKeepMs && { tokenKeepMs }) }
  const locks = createLocks(redisLocks(redis, { prefix, ...own }), rest)
  open.unshift(locks)
  return locks
}

const until = async (condition: () => boolean | Promise<boolean>) => {
  const endMs = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('it never came')
    await sleep(5)
  }
}

describe('redis', () => {
  it('loses no update of 2 sessions and 16 callers, and tokens grow with every lease', async () => {
    prefix = freshPrefix()
    const sessions = [locksOn(connect()), locksOn(connect(), { handoverMax: 0 })]
    const tokens: bigint[] = []
    let value = 0
    await Promise.all(
      Array.from({ length: 16 }, async (_, n) => {
        for (let turn = 0; turn < 10; turn++) {
          await using lease = await sessions[n % 2]!.acquire('counter', { waitMs: 20_000 })
          const read = value
          await sleep(0)
          value = read + 1
          tokens.push(lease.token)
        }
      }),
    )
    expect(value).toBe(160)
    for (const [at, token] of tokens.entries()) if (at > 0) expect(token).toBeGreaterThan(tokens[at - 1]!)
  })

  it('h4: tokens go on after FLUSHALL, and the holder finds out', async () => {
    prefix = freshPrefix()
    const [a, b] = [locksOn(connect()), locksOn(connect())]
    const lease = await a.acquire('k', { ttlMs: 600 })
    await connect().flushall()
    const next = await b.acquire('k')
    expect(next.token).toBeGreaterThan(lease.token)
    await until(() => lease.signal.aborted)
    expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'gone' })
    expect(await lease.release()).toBe(false)
    expect(next.held).toBe(true)
  })

  it('h4: tokens go on after a restart without persistence, for those who waited too', async () => {
    prefix = freshPrefix()
    const [a, b] = [locksOn(connect()), locksOn(connect())]
    const lease = await a.acquire('k', { ttlMs: 800 })
    const waiting = b.acquire('k', { ttlMs: 800, waitMs: 20_000 })
    await sleep(50)
    await server.kill()
    await server.restart()
    const next = await waiting
    expect(next.token).toBeGreaterThan(lease.token)
    await until(() => !lease.held)
    expect(next.held).toBe(true)
  })

  it('h5: a failover to a replica that lags gives a newer token, not the same', async () => {
    prefix = freshPrefix()
    const first = await locksOn(connect()).acquire('k')
    // A replica that has seen nothing of the key is any other server.
    await using replica = await startRedis({ appendOnly: false })
    const redis = new Redis(replica.url)
    const promoted = createLocks(redisLocks(redis, { prefix }))
    const second = await promoted.acquire('k')
    expect(second.token).toBeGreaterThan(first.token)
    await promoted.close()
    redis.disconnect()
  })

  it('h6: SCRIPT FLUSH under load reaches nobody, auto-pipelining or not', async () => {
    prefix = freshPrefix()
    const control = connect()
    const all = [locksOn(connect()), locksOn(connect({ enableAutoPipelining: true }))]
    let running = true
    const flushing = (async () => {
      while (running) {
        await control.script('FLUSH')
        await sleep(1)
      }
    })()
    await Promise.all(
      all.map((locks, one) =>
        Promise.all(
          Array.from({ length: 16 }, async (_, n) => {
            for (let turn = 0; turn < 40; turn++) {
              const lease = await locks.acquire(`${one}:${n}`)
              expect(await lease.release()).toBe(true)
            }
          }),
        ),
      ),
    )
    running = false
    await flushing
  })

  it('h9: a command that timed out at the client leaves no orphan', async () => {
    prefix = freshPrefix()
    const redis = connect({ commandTimeout: 80 })
    const locks = locksOn(redis)
    await locks.withLock('warm', () => {})
    server.pause()
    const failed = await locks.acquire('k', { ttlMs: 5_000 }).catch((error) => error)
    await sleep(170)
    server.resume()
    expect(failed).toMatchObject({ code: 'UNAVAILABLE' })
    const startMs = performance.now()
    await locksOn(connect()).acquire('k', { waitMs: 3_000 })
    expect(performance.now() - startMs).toBeLessThan(1_500)
  })

  it('a server that hangs is TIMEOUT, and what it grants when it wakes is given back', async () => {
    prefix = freshPrefix()
    const locks = locksOn(connect(), { callMs: 100 })
    await locks.withLock('warm', () => {})
    server.pause()
    const failed = await locks.acquire('k', { ttlMs: 5_000 }).catch((error) => error)
    server.resume()
    expect(failed).toMatchObject({ code: 'TIMEOUT' })
    expect((await locksOn(connect()).acquire('k', { waitMs: 3_000 })).held).toBe(true)
  })

  it('CLIENT KILL of every connection loses no lease and no waiter', async () => {
    prefix = freshPrefix()
    const [a, b] = [locksOn(connect()), locksOn(connect())]
    const lease = await a.acquire('k', { ttlMs: 2_000 })
    const waiting = b.acquire('k', { waitMs: 20_000 })
    await sleep(50)
    const control = connect()
    await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await control.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await sleep(1_000)
    expect(lease.held).toBe(true)
    expect(await lease.release()).toBe(true)
    expect((await waiting).held).toBe(true)
  })

  it('a subscriber that was down when its turn came gets its place back', async () => {
    prefix = freshPrefix()
    const [a, b] = [locksOn(connect()), locksOn(connect())]
    const lease = await a.acquire('k', { ttlMs: 30_000 })
    const waiting = b.acquire('k', { waitMs: 20_000 })
    await sleep(50)
    const control = connect()
    // The grant is sent while the subscriber is away: nobody hears it.
    await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await lease.release()
    const startMs = performance.now()
    expect((await waiting).held).toBe(true)
    expect(performance.now() - startMs).toBeLessThan(3_000)
  })

  it('a lock that was evicted is LOST for its holder, and tokens go on', async () => {
    prefix = freshPrefix()
    const locks = locksOn(connect())
    const lease = await locks.acquire('k', { ttlMs: 600 })
    await connect().del(`${prefix}:{k}`)
    await until(() => lease.signal.aborted)
    expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'gone' })
    expect((await locks.acquire('k')).token).toBeGreaterThan(lease.token)
  })

  it.each([
    ['a hash', (redis: Redis, key: string) => redis.hset(key, 'a', '1')],
    ['a list', (redis: Redis, key: string) => redis.lpush(key, '1')],
    ['a string of another library', (redis: Redis, key: string) => redis.set(key, '8c1f0d2e')],
    ['a number', (redis: Redis, key: string) => redis.set(key, '42')],
  ])('%s in the place of a lock is REJECTED and left alone', async (_, put) => {
    prefix = freshPrefix()
    const redis = connect()
    const locks = locksOn(redis)
    const name = `${prefix}:{k}`
    await put(redis, name)
    const before = await redis.dump(name)
    await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
    await expect(locks.inspect('k')).rejects.toMatchObject({ code: 'REJECTED' })
    await expect(locks.force('k')).rejects.toMatchObject({ code: 'REJECTED' })
    expect(await redis.dump(name)).toBe(before)
    // Its neighbours in the same batch are not touched by it.
    const both = await Promise.allSettled([locks.acquire('k'), locks.acquire('other')])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })

  it('a user who may not is REJECTED, without a word about the password', async () => {
    prefix = freshPrefix()
    const control = connect()
    await control.acl('SETUSER', 'nobody', 'on', '>secret', 'resetkeys', '-@all', '+subscribe', '&*')
    const locks = locksOn(connect({ username: 'nobody', password: 'secret', enableReadyCheck: false }))
    const error = await locks.acquire('k').catch((error) => error)
    expect(error).toMatchObject({ code: 'REJECTED' })
    expect(`${error.message}`).not.toContain('secret')
  })

  it.each([
    [
      'OOM',
      (redis: Redis) => redis.config('SET', 'maxmemory', '1'),
      (redis: Redis) => redis.config('SET', 'maxmemory', '0'),
    ],
    ['READONLY', (redis: Redis) => redis.replicaof('127.0.0.1', 1), (redis: Redis) => redis.replicaof('NO', 'ONE')],
  ])('%s is UNAVAILABLE, and nothing stays locked', async (word, begin, end) => {
    prefix = freshPrefix()
    const control = connect()
    const locks = locksOn(connect())
    await locks.withLock('warm', () => {})
    await begin(control)
    const error = await locks.acquire('k').catch((error) => error)
    await end(control)
    expect(error).toMatchObject({ code: 'UNAVAILABLE', cause: { message: expect.stringContaining(word) } })
    expect(await locksOn(connect()).tryAcquire('k')).not.toBeNull()
  })

  it('every key it writes expires, and none is left when it is idle', async () => {
    prefix = freshPrefix()
    const redis = connect()
    const options = { tokenKeepMs: 50, claimMs: 50, ttlMs: 300 }
    const [a, b] = [locksOn(connect(), options), locksOn(connect(), options)]
    const keys = () => redis.keys(`${prefix}*`)
    await Promise.all([a, b].map((locks) => locks.withLock('warm', () => {})))
    const busy = Promise.all([
      a.withLock('k', () => sleep(100)),
      b.withLock('k', () => sleep(100)),
      a.withLock('r', () => sleep(100), { mode: 'shared' }),
      b.withLock('r', () => sleep(100)),
      a.semaphore('s', 2).withPermits(() => sleep(100)),
      b.semaphore('s', 2).withPermits(() => sleep(100), { permits: 2 }),
    ])
    await until(async () => (await keys()).length > 6)
    for (const key of await keys()) expect(await redis.pttl(key)).not.toBe(-1)
    await busy
    await until(async () => (await keys()).length === 0)
  })

  it('what says that a key is shared outlives those who share it', async () => {
    prefix = freshPrefix()
    const redis = connect()
    const locks = locksOn(connect(), { tokenKeepMs: 1 })
    const lease = await locks.acquire('k', { mode: 'shared', ttlMs: 600_000 })
    const [own, shares] = await Promise.all([redis.pttl(`${prefix}:{k}`), redis.pttl(`${prefix}:{k}:s`)])
    expect(shares).toBeGreaterThan(500_000)
    expect(own).toBeGreaterThan(shares)
    expect(await locks.tryAcquire('k')).toBeNull()
    await lease.release()
  })

  it('callers of one turn are served in their order, whatever their terms are', async () => {
    prefix = freshPrefix()
    const locks = locksOn(connect(), { handoverMax: 0 })
    const first = await locks.acquire('k')
    const order: number[] = []
    const all = Array.from({ length: 12 }, (_, n) =>
      locks.withLock('k', () => void order.push(n), { waitMs: n % 2 ? 20_000 : 30_000 }),
    )
    await until(async () => (await locks.inspect('k'))!.queue.length === 12)
    await first.release()
    await Promise.all(all)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('close takes its places out of the queue before the client is closed', async () => {
    prefix = freshPrefix()
    const [holder, redis] = [locksOn(connect()), connect()]
    const lease = await holder.acquire('k')
    const locks = createLocks(redisLocks(redis, { prefix }), { handoverMax: 0 })
    const waiting = Promise.allSettled([1, 2, 3].map(() => locks.acquire('k')))
    await until(async () => (await holder.inspect('k'))!.queue.length === 3)
    await locks.close()
    redis.disconnect()
    expect((await holder.inspect('k'))!.queue).toEqual([])
    for (const one of await waiting) expect(one).toMatchObject({ reason: { code: 'CLOSED' } })
    await lease.release()
  })

  it('all names made from a key lie in one slot of a cluster, whatever the key is', async () => {
    prefix = freshPrefix()
    const redis = connect()
    const locks = locksOn(redis)
    for (const key of ['plain', '{tag}:x', 'a}b', '}', '{}', '{', 'x{y}z{w}']) {
      const holder = await locks.acquire(key, { mode: 'shared' })
      const waiting = locks.acquire(key)
      await until(async () => (await redis.keys(`${prefix}*`)).length >= 4)
      const names = await redis.keys(`${prefix}*`)
      expect(new Set(names.map(slotOf)).size, `${names}`).toBe(1)
      await holder.release()
      await (await waiting).release()
      await redis.del(...(await redis.keys(`${prefix}*`)))
    }
  })

  it('a prefix with braces is refused, and so is something that is no client', () => {
    expect(() => redisLocks(connect(), { prefix: 'a{b}' })).toThrow(/prefix/)
    expect(() => redisLocks({} as never)).toThrow(/client/)
    expect(() => redisLocks(connect(), { claimMs: 1 })).toThrow(/claimMs/)
    expect(() => redisLocks(connect(), { tokenKeepMs: 0 })).toThrow(/tokenKeepMs/)
  })
})

/** CRC16 (XMODEM) of the hash tag, modulo 16384: the cluster specification. */
function slotOf(name: string): number {
  const from = name.indexOf('{')
  const to = name.indexOf('}', from + 1)
  const tag = from >= 0 && to > from + 1 ? name.slice(from + 1, to) : name
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc % 16_384
}
