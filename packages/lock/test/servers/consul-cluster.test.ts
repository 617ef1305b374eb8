import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks, type LocksOptions } from '@headrace/lock'
import { consulLocks } from '@headrace/lock/consul'
import { type Server, startConsulCluster } from '@headrace/stack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

describe('consul: the election of a new leader among three servers', () => {
  it('a lease and its line outlive it, and tokens go on', async () => {
    const [first, second, third] = await roles()
    const prefix = freshFolder()
    await using holder = open(second, prefix, { ttlMs: 20_000 })
    await using crowd = open(third, prefix, { ttlMs: 20_000, waitMs: 60_000, handoverMax: 0 })
    const lease = await holder.acquire('k')
    const order: number[] = []
    const tokens = [lease.token]
    const waiting = [1, 2, 3].map((n) =>
      crowd.withLock('k', ({ token }) => {
        order.push(n)
        tokens.push(token)
      }),
    )
    await until(async () => (await holder.inspect('k'))?.queue.length === 3)
    await first.kill()
    await until(async () => (await leader()) !== undefined)
    await until(async () => (await holder.inspect('k').catch(() => null)) !== null)
    expect(lease.held).toBe(true)
    expect(await lease.release()).toBe(true)
    await Promise.all(waiting)
    expect(order).toEqual([1, 2, 3])
    for (const [n, token] of tokens.entries()) if (n > 0) expect(token).toBeGreaterThan(tokens[n - 1]!)
    await first.restart()
  })

  it('no update is lost while it goes on, and what fails is UNAVAILABLE or TIMEOUT', async () => {
    const [first, second, third] = await roles()
    const prefix = freshFolder()
    const errors = new Set<string>()
    const tokens: bigint[] = []
    let running = true
    let value = 0
    let written = 0
    const sessions = [second, third].map((node) => open(node, prefix, { ttlMs: 20_000, waitMs: 30_000 }))
    const work = Array.from({ length: 4 }, async (_, n) => {
      while (running)
        await sessions[n % 2]!.withLock('hot', async ({ token }) => {
          const read = value
          await sleep(1)
          value = read + 1
          written++
          tokens.push(token)
        }).catch((error) => {
          errors.add(error.code)
          return sleep(20)
        })
    })
    const progress = () => {
      const before = written
      return until(() => written > before + 20)
    }
    try {
      await progress()
      await first.kill()
      await progress()
    } finally {
      running = false
    }
    await Promise.all(work)
    await Promise.all(sessions.map((locks) => locks.close()))
    expect(value).toBe(written)
    for (const [n, token] of tokens.entries()) if (n > 0) expect(token).toBeGreaterThan(tokens[n - 1]!)
    for (const code of errors) expect(['UNAVAILABLE', 'TIMEOUT']).toContain(code)
  })
})
