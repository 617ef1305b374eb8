import { redisFence } from '@headrace/lock/fence'
import { serverUrl } from '@headrace/stack'
import { Redis } from 'ioredis'
import { afterAll, expect, it } from 'vitest'
import { freshPrefix } from './redis-setup.ts'

const redis = new Redis(serverUrl('redis'))
afterAll(() => redis.disconnect())

it('the Lua fence lets the same and newer tokens in, also those above 2^53', async () => {
  const key = freshPrefix()
  const script = `${redisFence} return sealed(KEYS[1], ARGV[1]) and 1 or 0`
  const seal = (token: bigint) => redis.eval(script, 1, key, String(token))
  const tokens = [9n, 9n, 10n, 9n, 2n ** 60n, 2n ** 60n - 1n, 2n ** 60n, 2n ** 60n + 1n]
  const answers: unknown[] = []
  for (const token of tokens) answers.push(await seal(token))
  expect(answers).toEqual([1, 1, 1, 0, 1, 0, 1, 1])
  await redis.del(key)
})
