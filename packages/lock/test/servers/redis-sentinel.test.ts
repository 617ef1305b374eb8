import { createLocks, type Locks, type LocksOptions } from '@headrace/lock'
import { memoryFence } from '@headrace/lock/fence'
import { type Ioredis, type NodeRedis, redisLocks } from '@headrace/lock/redis'
import { type Server, sentinelGroup, startRedis, startSentinel } from '@headrace/stack'
import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { queued, renewed, until } from './redis-fixture.ts'
import { freshPrefix } from './redis-setup.ts'

let servers: Server[]
let sentinels: Server[]
const prefix = freshPrefix()
const open: { close(): unknown }[] = []

const portOf = ({ url }: Server) => Number(new URL(url).port)

beforeAll(async () => {
  const primary = await startRedis({ appendOnly: false })
  const replica = await startRedis({ appendOnly: false, args: ['--replicaof', '127.0.0.1', `${portOf(primary)}`] })
  servers = [primary, replica]
  await until(async () => (await infoOf(replica)).includes('master_link_status:up'))
  sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(primary, { downAfterMs: 2_000 })))
  await until(async () => {
    const known = await Promise.all(sentinels.map(groupAt))
    return known.every((group) => group['num-slaves'] === '1' && group['num-other-sentinels'] === '2')
  })
})
afterAll(async () => {
  await Promise.all(open.map((one) => one.close()))
  await Promise.all([...sentinels, ...servers].map((server) => server.stop()))
})

/** Asks one server by itself, as an operator does. */
async function ask(server: Server, ...command: [string, ...string[]]): Promise<unknown> {
  const redis = new Redis(server.url, { retryStrategy: null })
  redis.on('error', () => {})
  try {
    return await redis.call(...command)
  } finally {
    redis.disconnect()
  }
}
// A server whose role changes ends its connections.
const infoOf = async (server: Server) => String(await ask(server, 'INFO', 'replication').catch(() => ''))
async function groupAt(sentinel: Server): Promise<Record<string, string>> {
  const flat = (await ask(sentinel, 'SENTINEL', 'MASTER', sentinelGroup)) as string[]
  return Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]!]] : [])))
}
/** The primary and its replica, as a sentinel sees them. */
async function roles(): Promise<[primary: Server, replica: Server]> {
  const [, port] = (await ask(sentinels[0]!, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', sentinelGroup)) as string[]
  const primary = servers.find((server) => portOf(server) === Number(port))!
  return [primary, servers.find((server) => server !== primary)!]
}

const clients: Record<string, () => Promise<Ioredis | NodeRedis>> = {
  async ioredis() {
    const redis = new Redis({
      name: sentinelGroup,
      sentinels: sentinels.map((server) => ({ host: '127.0.0.1', port: portOf(server) })),
    })
    redis.on('error', () => {})
    open.push({ close: () => redis.disconnect() })
    return redis
  },
  async 'node-redis'() {
    const redis = createSentinel({
      name: sentinelGroup,
      sentinelRootNodes: sentinels.map((server) => ({ host: '127.0.0.1', port: portOf(server) })),
    })
    redis.on('error', () => {})
    await redis.connect()
    open.push({ close: () => redis.destroy() })
    return redis as unknown as NodeRedis
  },
}

async function locksThrough(client: string, options: LocksOptions = {}): Promise<Locks> {
  const locks = createLocks(redisLocks(await clients[client]!(), { prefix }), options)
  open.unshift(locks)
  return locks
}

/** Three who wait for a key, and what they found when they had it. */
async function held(client: string) {
  const holder = await locksThrough('ioredis', { ttlMs: 8_000 })
  const crowd = await locksThrough(client, { waitMs: 90_000, handoverMax: 0 })
  const lease = await holder.acquire(client)
  const served: { n: number; token: bigint }[] = []
  const waiting = [1, 2, 3].map((n) => crowd.withLock(client, ({ token }) => void served.push({ n, token })))
  for (const one of waiting) one.catch(() => {})
  await until(async () => (await queued(holder, client)) === 3)
  return { client, holder, lease, served, waiting }
}

/** A lease of which the replica has never heard, and somebody who waits for it. */
async function heldUnheard() {
  const [a, b] = [await locksThrough('ioredis'), await locksThrough('ioredis')]
  const fence = memoryFence()
  await a.withLock('unheard', ({ token }) => fence.seal(token))
  await b.withLock('warm', () => {})
  const [primary, replica] = await roles()
  // It cannot come back to a primary that has no password.
  await ask(replica, 'CONFIG', 'SET', 'masterauth', 'none')
  await until(async () => {
    await ask(primary, 'CLIENT', 'KILL', 'TYPE', 'replica')
    return (await infoOf(replica)).includes('master_link_status:down')
  })
  const lease = await a.acquire('unheard')
  const waiting = b.acquire('unheard', { waitMs: 90_000 })
  waiting.catch(() => {})
  await until(async () => (await queued(a, 'unheard')) === 1)
  return { lease, waiting, fence }
}

describe('redis behind sentinels: a fail-over while keys are held and waited for', () => {
  let known: Awaited<ReturnType<typeof held>>[]
  let unheard: Awaited<ReturnType<typeof heldUnheard>>
  beforeAll(async () => {
    known = [await held('ioredis'), await held('node-redis')]
    const [primary, replica] = await roles()
    await until(async () => Number(await ask(primary, 'WAIT', '1', '100')) === 1)
    unheard = await heldUnheard()
    await primary.kill()
    await until(async () => (await infoOf(replica)).includes('role:master'))
  })

  it.for([0, 1])('leases that the replica knows go on, and who waits is served in order (client %i)', async (n) => {
    const { client, holder, lease, served, waiting } = known[n]!
    // It has been renewed at the new primary.
    await renewed(holder, client)
    expect(lease.held).toBe(true)
    expect(await lease.release()).toBe(true)
    await Promise.all(waiting)
    expect(served.map((one) => one.n)).toEqual([1, 2, 3])
    const tokens = [lease, ...served].map(({ token }) => token)
    for (const [at, token] of tokens.entries()) if (at > 0) expect(token).toBeGreaterThan(tokens[at - 1]!)
  })

  it('a lease that it does not know is lost: the token goes on, the old holder is fenced, who waited is served', async () => {
    const { lease, waiting, fence } = unheard
    const next = await waiting
    expect(next.token).toBeGreaterThan(lease.token)
    fence.seal(next.token)
    expect(() => fence.seal(lease.token)).toThrow(expect.objectContaining({ code: 'STALE' }))
    await until(() => lease.signal.aborted)
    expect(lease.signal.reason).toMatchObject({ code: 'LOST' })
    expect(await lease.release()).toBe(false)
    expect(next.held).toBe(true)
  })
})
