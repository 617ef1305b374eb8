import { runConformance } from '@headrace/core/testing'
import { createLocks, type LocksOptions } from '@headrace/lock'
import { lockRules } from '@headrace/lock/conformance'
import { type Ioredis, type NodeRedis, redisLocks } from '@headrace/lock/redis'
import { type Server, startRedis } from '@headrace/stack'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { queued, until } from './redis-fixture.ts'
import { freshPrefix, onServer } from './redis-setup.ts'

let primary: Server
let replica: Server
let prefix: string
const open: { close(): unknown }[] = []

beforeAll(async () => {
  primary = await startRedis({ appendOnly: false })
  replica = await startRedis({ appendOnly: false, args: ['--replicaof', '127.0.0.1', new URL(primary.url).port] })
  const redis = connect(replica)
  await until(async () => (await redis.info('replication')).includes('master_link_status:up'))
})
beforeEach(() => {
  prefix = freshPrefix()
})
afterEach(async () => {
  replica.resume()
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(() => Promise.all([primary.stop(), replica.stop()]))

function connect({ url }: Server = primary): Redis {
  const redis = new Redis(url)
  redis.on('error', () => {})
  open.push({ close: () => redis.disconnect() })
  return redis
}

const replicas = { min: 1, timeoutMs: 400 }
const driverOn = (client: Ioredis | NodeRedis) => redisLocks(client, { prefix, replicas })

function locksOn(options: LocksOptions = {}) {
  const locks = createLocks(driverOn(connect()), options)
  open.unshift(locks)
  return locks
}

describe('redis whose grants must be at a replica', () => {
  // Those about the end of a ttl wait for it, and are no others here.
  const rules = lockRules.filter(({ name }) => !/ttl|expire|expiry|renewed for itself|waited its time/.test(name))
  runConformance(rules, {
    test: it,
    supports: redisLocks({ evalsha() {}, eval() {}, duplicate() {} } as never).supports,
    async create() {
      const one = connect()
      const two = createClient({ url: primary.url })
      await two.connect()
      return { subject: onServer(driverOn(one), driverOn(two)), close: () => two.destroy() }
    },
  })

  it('what is granted, at once or in its turn, is there when it is told', async () => {
    const there = connect(replica)
    const holder = async (key: string) => String(await there.get(`${prefix}:{${key}}`))
    const [a, b] = [locksOn(), locksOn()]
    for (let n = 0; n < 50; n++) {
      const lease = await a.acquire('k')
      expect(await holder('k')).toContain(`${lease.token}`)
      const waiting = b.acquire('k')
      await until(async () => (await queued(a, 'k')) === 1)
      await lease.release()
      const next = await waiting
      expect(await holder('k')).toContain(`${next.token}`)
      await next.release()
    }
  })

  it('a grant that reaches too few replicas is UNAVAILABLE, and given back', async () => {
    const [a, b] = [locksOn(), createLocks(redisLocks(connect(), { prefix }))]
    open.unshift(b)
    await a.withLock('warm', () => {})
    replica.pause()
    await expect(a.acquire('k', { ttlMs: 60_000 })).rejects.toThrow('0 replicas of redis have it after 400 ms, not 1')
    expect((await b.acquire('k', { waitMs: 30_000 })).held).toBe(true)
  })

  it('a lease whose renewals reach too few replicas is lost when its ttl has ended', async () => {
    const lease = await locksOn().acquire('k', { ttlMs: 900 })
    replica.pause()
    await until(() => lease.signal.aborted)
    expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'expired' })
  })

  it('who waits gets no turn that reaches too few replicas, and gets one when they are back', async () => {
    const [a, b] = [createLocks(redisLocks(connect(), { prefix })), locksOn({ waitMs: 60_000 })]
    open.unshift(a)
    const lease = await a.acquire('k')
    let served = false
    const waiting = b.acquire('k').then((next) => {
      served = true
      return next
    })
    await until(async () => (await queued(a, 'k')) === 1)
    replica.pause()
    await lease.release()
    // It was granted the key, has given it back, and stands in line again or holds it for the time of the next try.
    const first = (await a.inspect('k'))?.holders[0]?.id
    await until(async () => {
      const state = await a.inspect('k')
      return [...(state?.holders ?? []), ...(state?.queue ?? [])].some(({ id }) => id !== first)
    })
    expect(served).toBe(false)
    replica.resume()
    const next = await waiting
    expect(next.held).toBe(true)
    expect(next.token).toBeGreaterThan(lease.token)
  })
})

it('options that cannot be kept are refused by name', () => {
  const client = { evalsha() {}, eval() {}, duplicate() {}, wait() {} }
  const make = (own: object, given = replicas) => redisLocks({ ...client, ...own } as never, { replicas: given })
  expect(() => make({}, { min: 0, timeoutMs: 100 })).toThrow('replicas.min')
  expect(() => make({}, { min: 1, timeoutMs: 0 })).toThrow('replicas.timeoutMs')
  expect(() => make({ wait: undefined })).toThrow('wait')
  expect(() => make({ isCluster: true })).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
})
