import { lockConformance } from '@headrace/lock/conformance'
import { redisQuorumLocks } from '@headrace/lock/redis-quorum'
import type { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Quorum, startQuorum } from './quorum-setup.ts'
import { freshPrefix, onServer } from './redis-setup.ts'

const ttlMaxMs = 6_000
let quorum: Quorum
let one: Redis[]
let two: Redis[]
beforeAll(async () => {
  quorum = await startQuorum(ttlMaxMs)
  one = quorum.clients()
  two = quorum.clients()
})
afterAll(() => quorum[Symbol.asyncDispose]())

const supports = redisQuorumLocks([createClient()]).supports

describe('three redis primaries through ioredis', () => {
  lockConformance({
    test: it,
    supports,
    create() {
      const options = { prefix: freshPrefix(), ttlMaxMs }
      return { subject: onServer(redisQuorumLocks(one, options), redisQuorumLocks(two, options)) }
    },
  })
})

describe('three redis primaries through node-redis and ioredis at the same time', () => {
  let others: ReturnType<typeof createClient>[]
  beforeAll(async () => {
    others = quorum.servers.map(({ url }) => createClient({ url }))
    await Promise.all(others.map((client) => client.connect()))
  })
  afterAll(() => {
    for (const client of others) client.destroy()
  })
  lockConformance({
    test: it,
    supports,
    create() {
      const options = { prefix: freshPrefix(), ttlMaxMs }
      return { subject: onServer(redisQuorumLocks(others, options), redisQuorumLocks(two, options)) }
    },
  })
})
