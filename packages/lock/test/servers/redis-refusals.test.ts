import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { redisFixture, until } from './redis-fixture.ts'

// A server that lets itself be told to load its data again, and answers in between.
const fixture = redisFixture({
  appendOnly: false,
  args: ['--enable-debug-command', 'yes', '--loading-process-events-interval-bytes', '1024'],
})
const { connect, locksOn } = fixture

it.each([
  ['a hash', (redis: Redis, key: string) => redis.hset(key, 'a', '1')],
  ['a list', (redis: Redis, key: string) => redis.lpush(key, '1')],
  ['a string of another library', (redis: Redis, key: string) => redis.set(key, '8c1f0d2e')],
  ['a number', (redis: Redis, key: string) => redis.set(key, '42')],
  ['what a later version of this library may write', (redis: Redis, key: string) => redis.set(key, 'z1 17 1 a.1 ')],
])('%s in the place of a lock is REJECTED and left alone', async (_, put) => {
  const redis = connect()
  const locks = locksOn(redis)
  const name = `${fixture.prefix}:{k}`
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

it('garbage in the place of the last token is REJECTED, or replaced where it is a string', async () => {
  const redis = connect()
  const locks = locksOn(redis)
  const name = `${fixture.prefix}:mark`
  await redis.hset(name, 'a', '1')
  await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
  expect(await redis.hgetall(name)).toEqual({ a: '1' })
  await redis.del(name)
  for (const text of ['8c1f0d2e', '', '1e999', '-1']) {
    await redis.set(name, text)
    const first = await locks.acquire(text || 'empty').catch(() => locks.acquire('again'))
    expect(first.token).toBeGreaterThan(1_000_000_000_000_000n)
    expect(first.token).toBeLessThan(2n ** 53n)
    await first.release()
  }
})

it('a user who may not is REJECTED, without a word about the password', async () => {
  const control = connect()
  await control.acl('SETUSER', 'nobody', 'on', '>secret', 'resetkeys', '-@all', '+subscribe', '&*')
  const locks = locksOn(connect({ username: 'nobody', password: 'secret', enableReadyCheck: false }))
  const error = await locks.acquire('k').catch((error) => error)
  expect(error).toMatchObject({ code: 'REJECTED' })
  expect(`${error.message}`).not.toContain('secret')
})

/** What makes a server refuse, and what ends that. */
const refusals: Record<string, (redis: Redis) => Promise<() => Promise<unknown>>> = {
  async OOM(redis) {
    await redis.config('SET', 'maxmemory', '1')
    return () => redis.config('SET', 'maxmemory', '0')
  },
  async READONLY(redis) {
    await redis.replicaof('127.0.0.1', 1)
    return () => redis.replicaof('NO', 'ONE')
  },
  async MISCONF(redis) {
    // A snapshot that cannot be written: a folder has its name.
    const dump = join(((await redis.config('GET', 'dir')) as string[])[1]!, 'dump.rdb')
    await mkdir(dump)
    await redis.config('SET', 'save', '3600 1')
    await redis.bgsave()
    await until(async () => (await redis.info('persistence')).includes('rdb_last_bgsave_status:err'))
    return async () => {
      await redis.config('SET', 'save', '')
      await rmdir(dump)
    }
  },
  async LOADING(redis) {
    await redis.debug('POPULATE', 300, 'junk', 2_000)
    // Each key takes this many microseconds.
    await redis.config('SET', 'key-load-delay', '5000')
    const other = connect({ enableReadyCheck: false })
    const loaded = redis.debug('RELOAD')
    await until(async () => `${await other.ping().catch((error) => error)}`.includes('LOADING'))
    return async () => {
      await other.config('SET', 'key-load-delay', '0')
      await loaded
    }
  },
}

it.each(Object.keys(refusals))('%s is UNAVAILABLE, who holds holds on, and nothing stays locked', async (word) => {
  const locks = locksOn(connect())
  const lease = await locks.acquire('held', { ttlMs: 60_000 })
  const end = await refusals[word]!(connect())
  const error = await locks.acquire('k').catch((error) => error)
  await end()
  expect(error).toMatchObject({ code: 'UNAVAILABLE', cause: { message: expect.stringContaining(word) } })
  expect(await locksOn(connect()).tryAcquire('k')).not.toBeNull()
  expect(await lease.release()).toBe(true)
})
