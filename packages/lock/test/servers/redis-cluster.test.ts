import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks } from '@headrace/lock'
import { lockConformance } from '@headrace/lock/conformance'
import { redisLocks } from '@headrace/lock/redis'
import { type Server, startRedis } from '@headrace/stack'
import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshPrefix, onServer } from './redis-setup.ts'

// A cluster of one node is a cluster: it refuses scripts and batches whose keys lie in different slots.
let server: Server
let one: Cluster
let two: ReturnType<typeof createCluster>

beforeAll(async () => {
  server = await startRedis({
    appendOnly: false,
    args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
  })
  const control = new Redis(server.url)
  await control.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  for (let asked = 0; !String(await control.call('CLUSTER', 'INFO')).includes('cluster_state:ok'); asked++) {
    if (asked > 200) throw new Error('the cluster did not form')
    await sleep(50)
  }
  control.disconnect()
  const { hostname, port } = new URL(server.url)
  one = new Cluster([{ host: hostname, port: Number(port) }])
  two = createCluster({ rootNodes: [{ url: server.url }] })
  await two.connect()
})
afterAll(async () => {
  one.disconnect()
  two.destroy()
  await server.stop()
})

describe('a redis cluster through ioredis and node-redis', () => {
  lockConformance({
    test: it,
    supports: redisLocks({ isCluster: true, evalsha() {}, eval() {}, duplicate() {} } as never).supports,
    create() {
      const prefix = freshPrefix()
      return { subject: onServer(redisLocks(one, { prefix }), redisLocks(two as never, { prefix })) }
    },
  })

  it('takes keys of different slots together', async () => {
    const prefix = freshPrefix()
    const [a, b] = [one, two as never].map((client) => createLocks(redisLocks(client, { prefix })))
    const keys = Array.from({ length: 20 }, (_, n) => `order:${n}`)
    const set = await a!.acquireAll(keys)
    const waiting = b!.acquireAll(keys, { waitMs: 20_000 })
    await sleep(50)
    expect(await set.release()).toBe(true)
    const next = await waiting
    expect(next.held).toBe(true)
    for (const key of keys) expect(next.of(key).token).toBeGreaterThan(set.of(key).token)
    await Promise.all([a, b].map((locks) => locks!.close()))
  })
})
