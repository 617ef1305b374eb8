import { lockConformance } from '@headrace/lock/conformance'
import { redisLocks } from '@headrace/lock/redis'
import { serverUrl } from '@headrace/stack'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { freshPrefix, onServer } from './redis-setup.ts'

describe('redis through ioredis', () => {
  const one = new Redis(serverUrl('redis'))
  const two = new Redis(serverUrl('redis'))
  afterAll(() => {
    one.disconnect()
    two.disconnect()
  })
  lockConformance({
    test: it,
    supports: redisLocks(one).supports,
    create() {
      const prefix = freshPrefix()
      return { subject: onServer(redisLocks(one, { prefix }), redisLocks(two, { prefix })) }
    },
  })
})

describe('redis through node-redis and ioredis at the same time', () => {
  const one = createClient({ url: serverUrl('redis') })
  const two = new Redis(serverUrl('redis'), { enableAutoPipelining: true })
  beforeAll(async () => {
    await one.connect()
  })
  afterAll(() => {
    one.destroy()
    two.disconnect()
  })
  lockConformance({
    test: it,
    supports: redisLocks(one).supports,
    create() {
      const prefix = freshPrefix()
      return { subject: onServer(redisLocks(one, { prefix }), redisLocks(two, { prefix })) }
    },
  })
})
