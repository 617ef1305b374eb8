import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks, type Locks, type LocksOptions } from '@headrace/lock'
import { consulLocks } from '@headrace/lock/consul'
import { type Server, startConsulCluster } from '@headrace/stack'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ask, freshFolder } from './consul-setup.ts'
import { until } from './redis-fixture.ts'

let cluster: Awaited<ReturnType<typeof startConsulCluster>>
beforeAll(async () => {
  cluster = await startConsulCluster(3, { args: ['-hcl', 'session_ttl_min = "300ms"'] })
})
afterAll(() => cluster[Symbol.asyncDispose]())

/** Who leads, of those that answer. */
async function leader(): Promise<Server | undefined> {
  for (const node of cluster.nodes) {
    const self = await ask<{ Stats: { consul: { leader: string } } }>(node, 'GET', '/agent/self').catch(() => undefined)
    if (self?.Stats.consul.leader === 'true') return node
  }
  return undefined
}

/** The leader and two that follow it. */
async function roles(): Promise<[Server, Server, Server]> {
  let first: Server | undefined
  await until(async () => {
    first = await leader()
    return first !== undefined
  })
  const [second, third] = cluster.nodes.filter((node) => node !== first)
  return [first!, second!, third!]
}

const open = ({ url }: Server, prefix: string, options: LocksOptions = {}) =>
  createLocks(consulLocks(url, { prefix, ttlMinMs: 300 }), options)

/** Writes that only a lock keeps apart, from two processes, until they are told to stop. */
function contend(sessions: readonly Locks[]) {
  const errors = new Set<string>()
  const tokens: bigint[] = []
  let running = true
  let value = 0
  const work = Array.from({ length: 4 }, async (_, n) => {
    while (running)
      await sessions[n % 2]!.withLock('hot', async ({ token }) => {
        const read = value
        await sleep(1)
        value = read + 1
        tokens.push(token)
      }).catch((error) => {
        errors.add(error.code)
        return sleep(20)
      })
  })
  return {
    errors,
    tokens,
    progress() {
      const before = value
      return until(() => value > before + 20)
    },
    async stop() {
      running = false
      await Promise.all(work)
      return value
    },
  }
}

it('the election of a new leader among three servers costs no lease, no place, no order and no update', async () => {
  const [first, second, third] = await roles()
  const prefix = freshFolder()
  await using holder = open(second, prefix, { ttlMs: 20_000, waitMs: 30_000 })
  await using crowd = open(third, prefix, { ttlMs: 20_000, waitMs: 60_000 })
  const lease = await holder.acquire('k')
  const served: { n: number; token: bigint }[] = []
  const waiting = [1, 2, 3].map((n) => crowd.withLock('k', ({ token }) => void served.push({ n, token })))
  await until(async () => (await holder.inspect('k'))?.queue.length === 1)
  const { errors, tokens, progress, stop } = contend([holder, crowd])
  let value: number
  try {
    await progress()
    await first.kill()
    await progress()
  } finally {
    value = await stop()
  }
  expect(lease.held).toBe(true)
  expect(await lease.release()).toBe(true)
  await Promise.all(waiting)
  expect(served.map(({ n }) => n)).toEqual([1, 2, 3])
  expect(value).toBe(tokens.length)
  for (const line of [[lease, ...served].map(({ token }) => token), tokens])
    for (const [n, token] of line.entries()) if (n > 0) expect(token).toBeGreaterThan(line[n - 1]!)
  for (const code of errors) expect(['UNAVAILABLE', 'TIMEOUT']).toContain(code)
})
