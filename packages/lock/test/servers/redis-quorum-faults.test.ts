import { setTimeout as sleep } from 'node:timers/promises'
import { isHeadraceError, retry } from '@headrace/core'
import { createLocks, type Locks, type LocksOptions } from '@headrace/lock'
import type { Ioredis } from '@headrace/lock/redis'
import { redisQuorumLocks } from '@headrace/lock/redis-quorum'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { type Quorum, startQuorum } from './quorum-setup.ts'
import { freshPrefix } from './redis-setup.ts'

const ttlMaxMs = 2_000
let quorum: Quorum
let watchers: Redis[]
let prefix: string
let connections: Redis[][]
beforeAll(async () => {
  quorum = await startQuorum(ttlMaxMs)
  watchers = quorum.clients()
})
afterAll(() => quorum[Symbol.asyncDispose]())

const open: Locks[] = []
afterEach(async () => {
  for (const server of quorum.servers) server.resume()
  await Promise.all(open.splice(0).map((locks) => locks.close()))
})

/** Sessions with connections of their own, on a key space of their own where every node votes. */
async function sessions(count: number, options: LocksOptions & { nodeMs?: number } = {}): Promise<Locks[]> {
  const { nodeMs = 300, ...rest } = options
  prefix = freshPrefix()
  connections = Array.from({ length: count }, () => quorum.clients())
  const made = connections.map((clients) => {
    const driver = redisQuorumLocks(clients, { prefix, ttlMaxMs, nodeMs, claimMs: 500 })
    return createLocks(driver, { ttlMs: 2_000, callMs: 1_500, ...rest })
  })
  open.push(...made)
  await retry(() => Promise.all(made.map((locks) => locks.withLock('warm', () => {}))), { attempts: 10 })
  // A node that an earlier test has restarted is too young at first.
  await untilAllVote(made[0]!)
  return made
}

const elapsed = async (work: () => Promise<unknown>) => {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

/** A node that stays out is admitted when somebody asks for its vote after its time. */
async function untilAllVote(locks: Locks) {
  for (const untilMs = performance.now() + 10_000; performance.now() < untilMs; await sleep(120)) {
    await locks.withLock('wake', () => {}).catch(() => {})
    const markers = await Promise.all(watchers.map((client) => client.get(`${prefix}:node`)))
    if (markers.every((marker) => marker?.startsWith('r'))) return
  }
  throw new Error('a node stays out')
}

it('a node that hangs delays nobody, whichever it is', async () => {
  for (const server of quorum.servers) {
    const [locks] = await sessions(1)
    server.pause()
    const ms = await elapsed(() => locks!.withLock('free', () => {}))
    server.resume()
    expect(ms).toBeLessThan(200)
  }
})

it('a node that is killed delays nobody and takes no lease with it', async () => {
  const [one, two] = await sessions(2)
  const lease = await one!.acquire('k')
  await quorum.servers[0]!.kill()
  try {
    expect(await elapsed(() => two!.withLock('free', () => {}))).toBeLessThan(1_000)
    expect(await elapsed(() => two!.withLock('free again', () => {}))).toBeLessThan(200)
    await sleep(2_500)
    expect(lease.held).toBe(true)
    expect(await two!.tryAcquire('k')).toBeNull()
    expect(await lease.release()).toBe(true)
  } finally {
    await quorum.servers[0]!.restart()
  }
})

it('who waits at a node that dies waits on at another', async () => {
  const [one, two] = await sessions(2)
  const lease = await one!.acquire('k')
  const waiting = two!.acquire('k', { waitMs: 10_000 })
  await sleep(100)
  quorum.servers[0]!.pause()
  await sleep(200)
  await lease.release()
  const ms = await elapsed(() => waiting)
  expect(ms).toBeLessThan(3_000)
  expect((await waiting).token).toBeGreaterThan(lease.token)
})

it('with a minority only, the answer is UNAVAILABLE within callMs', async () => {
  const [locks] = await sessions(1)
  quorum.servers[0]!.pause()
  quorum.servers[2]!.pause()
  for (const ask of [() => locks!.tryAcquire('k'), () => locks!.acquire('k')]) {
    const ms = await elapsed(async () => {
      const error = await ask().catch((thrown: unknown) => thrown)
      expect(isHeadraceError(error, 'UNAVAILABLE'), String(error)).toBe(true)
    })
    expect(ms).toBeLessThan(1_500)
  }
})

it('a key that holds something else is refused for good', async () => {
  const [locks] = await sessions(1)
  await Promise.all(watchers.map((client) => client.set(`${prefix}:{k}`, 'not a lock')))
  await expect(locks!.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
})

it('what was granted after the caller had given up is undone', async () => {
  const [one, two] = await sessions(2)
  quorum.servers[1]!.pause()
  quorum.servers[2]!.pause()
  await expect(one!.acquire('k', { ttlMs: 2_000 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  quorum.servers[1]!.resume()
  quorum.servers[2]!.resume()
  expect(await elapsed(() => two!.withLock('k', () => {}, { waitMs: 4_000 }))).toBeLessThan(1_000)
})

it('a lease lives through the loss of one node after the other, and is lost with a majority before its ttl', async () => {
  const [locks] = await sessions(1, { ttlMs: 1_000 })
  const lease = await locks!.acquire('k')
  for (const server of quorum.servers) {
    server.pause()
    await sleep(1_200)
    expect(lease.held).toBe(true)
    server.resume()
    await sleep(600)
  }
  const lostMs = await elapsed(async () => {
    quorum.servers[0]!.pause()
    quorum.servers[1]!.pause()
    await new Promise((resolve) => lease.signal.addEventListener('abort', resolve))
  })
  expect(lostMs).toBeLessThan(1_100)
})

it('a node that has lost everything does not help a second holder, and votes again after the longest ttl', async () => {
  const [one, two] = await sessions(2)
  const lease = await one!.acquire('k')
  // One of the three has no vote for the lease, so the loss of another one would be the majority of a second holder.
  await quorum.servers[2]!.wipe()
  await quorum.servers[1]!.wipe()
  const second = await two!.tryAcquire('k').catch((error: { code: string }) => error.code)
  expect(second === null || second === 'UNAVAILABLE', String(second)).toBe(true)
  await untilAllVote(two!)
  const next = await two!.acquire('k', { waitMs: 10_000 })
  expect(next.token).toBeGreaterThan(lease.token)
  quorum.servers[0]!.pause()
  await sleep(2_500)
  expect(next.held).toBe(true)
})

it('a node that restarts with its data, which may be old, stays out as well', async () => {
  const [locks] = await sessions(1)
  await quorum.servers[1]!.kill()
  await quorum.servers[1]!.restart()
  await sleep(100)
  quorum.servers[0]!.pause()
  const before = await locks!.tryAcquire('k').catch((error: unknown) => error)
  expect(isHeadraceError(before, 'UNAVAILABLE'), String(before)).toBe(true)
  expect(String(before)).toContain('may have lost data')
  quorum.servers[0]!.resume()
  await untilAllVote(locks!)
  quorum.servers[0]!.pause()
  await locks!.withLock('k', () => {})
})

it('tokens grow when one node, and when every node, loses its data', async () => {
  const [locks] = await sessions(1)
  const clients = quorum.clients()
  let last = 0n
  const next = async () => {
    const lease = await locks!.acquire('k')
    expect(lease.token).toBeGreaterThan(last)
    last = lease.token
    await lease.release()
  }
  await next()
  for (const client of clients) {
    await client.flushall()
    await next()
    await untilAllVote(locks!)
    await next()
  }
  await Promise.all(clients.map((client) => client.flushall()))
  await next()
}, 60_000)

/** What it sends arrives late; its answers do not. */
const far = (client: Redis, delayMs: number): Ioredis => ({
  async evalsha(sha, keys, ...rest) {
    await sleep(delayMs)
    return client.evalsha(sha, keys, ...rest)
  },
  async eval(text, keys, ...rest) {
    await sleep(delayMs)
    return client.eval(text, keys, ...rest)
  },
  duplicate: () => client.duplicate(),
})

it('h1: three who hold a vote of one node each settle that long before a ttl has passed', async () => {
  await sessions(1)
  // Each is near to another node, so that its vote is the first there.
  const all = connections[0]!.map((_, near) => {
    const clients = quorum.clients().map((client, at) => (at === near ? client : far(client, 40)))
    const locks = createLocks(redisQuorumLocks(clients, { prefix, ttlMaxMs }), { ttlMs: ttlMaxMs, waitMs: 5_000 })
    open.push(locks)
    return locks
  })
  for (const locks of all) await locks.withLock('warm', () => {})
  for (let n = 0; n < 5; n++) {
    const key = `split ${n}`
    const tokens: bigint[] = []
    const contest = Promise.all(all.map((locks) => locks.withLock(key, ({ token }) => void tokens.push(token))))
    await sleep(20)
    const votes = await Promise.all(watchers.map((client) => client.get(`${prefix}:{${key}}`)))
    const sessionsOf = votes.map((vote) => /\b[0-9a-f]{32}\b/.exec(`${vote}`)?.[0] ?? 'nobody')
    expect(new Set(sessionsOf).size, `${votes}`).toBe(3)
    expect(sessionsOf).not.toContain('nobody')
    expect(await elapsed(() => contest)).toBeLessThan(ttlMaxMs / 2)
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)))
  }
})

it('h1: votes of eight who come at the same time are settled at once', async () => {
  const all = await sessions(8)
  const waits: number[] = []
  for (let n = 0; n < 20; n++) {
    const startMs = performance.now()
    const tokens: bigint[] = []
    await Promise.all(
      all.map((locks) =>
        locks.withLock(`cold ${n}`, ({ token }) => {
          tokens.push(token)
          waits.push(performance.now() - startMs)
        }),
      ),
    )
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)))
  }
  expect(Math.max(...waits)).toBeLessThan(1_000)
})

it('one of those who try at the same time gets the key, and no vote stays behind', async () => {
  const all = await sessions(8)
  for (let n = 0; n < 20; n++) {
    const leases = await Promise.all(all.map((locks) => locks.tryAcquire(`k ${n}`)))
    const got = leases.filter((lease) => lease !== null)
    expect(got).toHaveLength(1)
    await got[0]!.release()
    await all[n % 8]!.withLock(`k ${n}`, () => {}, { waitMs: 500 })
  }
})

it('who waits gets the key when the session that holds it has died', async () => {
  const [one, two] = await sessions(2, { ttlMs: 600 })
  const dead = await one!.acquire('k')
  const waiting = two!.acquire('k', { waitMs: 5_000 })
  await sleep(100)
  // It neither renews nor releases any more.
  for (const client of connections[0]!) client.disconnect()
  expect((await waiting).token).toBeGreaterThan(dead.token)
})
