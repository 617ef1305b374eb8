import type { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { redisFixture } from './redis-fixture.ts'

const fixture = redisFixture()
const { connect, locksOn } = fixture

it.each([
  ['a hash', (redis: Redis, key: string) => redis.hset(key, 'a', '1')],
  ['a list', (redis: Redis, key: string) => redis.lpush(key, '1')],
  ['a string of another library', (redis: Redis, key: string) => redis.set(key, '8c1f0d2e')],
  ['a number', (redis: Redis, key: string) => redis.set(key, '42')],
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

it('a user who may not is REJECTED, without a word about the password', async () => {
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
  const control = connect()
  const locks = locksOn(connect())
  await locks.withLock('warm', () => {})
  await begin(control)
  const error = await locks.acquire('k').catch((error) => error)
  await end(control)
  expect(error).toMatchObject({ code: 'UNAVAILABLE', cause: { message: expect.stringContaining(word) } })
  expect(await locksOn(connect()).tryAcquire('k')).not.toBeNull()
})
