import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks, type Locks, type LocksOptions } from '@headrace/lock'
import { type NodeRedis, redisLocks } from '@headrace/lock/redis'
import { type Server, startRedis } from '@headrace/stack'
import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { queued, renewed, until } from './redis-fixture.ts'
import { freshPrefix } from './redis-setup.ts'

let nodes: { readonly server: Server; readonly control: Redis; readonly port: string; id: string }[]
const prefix = freshPrefix()
const open: { close(): unknown }[] = []

beforeAll(async () => {
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']
  const servers = await Promise.all([1, 2].map(() => startRedis({ appendOnly: false, args })))
  nodes = servers.map((server) => ({
    server,
    control: new Redis(server.url),
    port: new URL(server.url).port,
    id: '',
  }))
  for (const node of nodes) node.id = String(await node.control.call('CLUSTER', 'MYID'))
  const [one, two] = nodes
  await one!.control.call('CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
  await two!.control.call('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
  await one!.control.call('CLUSTER', 'MEET', '127.0.0.1', two!.port)
  await until(async () => {
    const infos = await Promise.all(nodes.map(({ control }) => control.call('CLUSTER', 'INFO')))
    return infos.every((info) => /cluster_state:ok.*cluster_known_nodes:2/s.test(String(info)))
  })
})
afterAll(async () => {
  await Promise.all(open.map((one) => one.close()))
  for (const { control } of nodes) control.disconnect()
  await Promise.all(nodes.map(({ server }) => server.stop()))
})

const clients = {
  ioredis() {
    const cluster = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port: Number(port) })))
    cluster.on('error', () => {})
    open.push({ close: () => cluster.disconnect() })
    return cluster
  },
  async 'node-redis'() {
    const cluster = createCluster({ rootNodes: nodes.map(({ server }) => ({ url: server.url })) })
    cluster.on('error', () => {})
    await cluster.connect()
    open.push({ close: () => cluster.destroy() })
    return cluster as unknown as NodeRedis
  },
}

async function locksThrough(client: keyof typeof clients, options: LocksOptions = {}): Promise<Locks> {
  const locks = createLocks(redisLocks(await clients[client](), { prefix }), options)
  open.unshift(locks)
  return locks
}

interface Move {
  readonly slot: string
  readonly from: (typeof nodes)[number]
  readonly to: (typeof nodes)[number]
  /** Names in the slot that have not been moved yet. */
  left(): Promise<string[]>
  /** Moves what is kept under one name. */
  move(name: string): Promise<unknown>
  end(): Promise<void>
}

/** Begins to move the slot of a lock to the other node. */
async function beginMove(key: string): Promise<Move> {
  const slot = String(await nodes[0]!.control.cluster('KEYSLOT', `${prefix}:{${key}}`))
  const owner = ownerOf(String(await nodes[0]!.control.cluster('NODES')), Number(slot))
  const [from, to] = nodes[0]!.id === owner ? [nodes[0]!, nodes[1]!] : [nodes[1]!, nodes[0]!]
  await to.control.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await from.control.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
  return {
    slot,
    from,
    to,
    left: async () => (await from.control.call('CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[],
    // It fails where there is something of that name already.
    move: (name) => from.control.call('MIGRATE', '127.0.0.1', to.port, '', '0', '5000', 'KEYS', name),
    async end() {
      for (const node of [to, from]) await node.control.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    },
  }
}

/**
 * Moves the slot of a lock to the other node, one key after the other, as `redis-cli --cluster reshard` does. Notices do not
 * move: they are published to the whole cluster, not to the shard of a slot.
 */
async function reshard(key: string, pause: () => Promise<unknown>): Promise<void> {
  const { left, move, end } = await beginMove(key)
  for (;;) {
    await pause()
    const [name] = await left()
    if (name === undefined) break
    await move(name)
  }
  await end()
}

function ownerOf(all: string, slot: number): string {
  for (const line of all.split('\n')) {
    const [id, , , , , , , , ...ranges] = line.trim().split(' ')
    for (const range of ranges) {
      const [from, to = from] = range.split('-').map(Number)
      if (slot >= from! && slot <= to!) return id!
    }
  }
  throw new Error(`nobody has slot ${slot}`)
}

it('a lease and its queue go on while their slot is moved to another node of the cluster', async () => {
  const [holder, crowd] = [await locksThrough('ioredis'), await locksThrough('node-redis', { handoverMax: 0 })]
  const lease = await holder.acquire('k', { ttlMs: 6_000 })
  const order: number[] = []
  const waiting = [1, 2, 3].map((n) => crowd.withLock('k', () => void order.push(n), { waitMs: 60_000 }))
  await until(async () => (await queued(holder, 'k')) === 3)
  await reshard('k', () => sleep(20))
  await renewed(holder, 'k')
  expect(lease.held).toBe(true)
  expect(await lease.release()).toBe(true)
  await Promise.all(waiting)
  expect(order).toEqual([1, 2, 3])
})

it('a script that finds only a part of what is kept for a key changes nothing', async () => {
  const [holder, crowd] = [await locksThrough('ioredis'), await locksThrough('node-redis', { waitMs: 60_000 })]
  const name = `${prefix}:{half}`
  for (const moved of [[], [''], [':q'], [':i'], ['', ':q'], ['', ':i'], [':q', ':i']]) {
    const lease = await holder.acquire('half', { ttlMs: 60_000 })
    let granted = 0
    const waiting = crowd.withLock('half', () => granted++)
    await until(async () => (await queued(holder, 'half')) === 1)
    const { slot, from, to, left, move, end } = await beginMove('half')
    for (const part of moved) await move(name + part)
    const before = await Promise.all([from, to].map(({ control }) => kept(control, slot)))
    expect(before.flat()).toHaveLength(3)
    expect(await lease.release()).toBe(false)
    await expect(crowd.acquire('half', { waitMs: 50 })).rejects.toThrow()
    await expect(holder.acquire('half', { waitMs: 50 })).rejects.toThrow()
    expect(await Promise.all([from, to].map(({ control }) => kept(control, slot)))).toEqual(before)
    expect(granted).toBe(0)
    for (const one of await left()) await move(one)
    await end()
    // The release is tried again until it has been done.
    await waiting
    expect(granted).toBe(1)
  }
})

/** What a node keeps in a slot, whoever owns that: names and contents. */
async function kept(control: Redis, slot: string): Promise<unknown[]> {
  const names = ((await control.call('CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[]).sort()
  const found: unknown[] = []
  for (const name of names) {
    const [, dumped] = await Promise.all([control.call('ASKING'), control.dumpBuffer(name)])
    found.push([name, dumped.toString('hex')])
  }
  return found
}

it('no update is lost, tokens grow and nobody is forgotten while a contended slot is moved back and forth', async () => {
  const sessions = [
    await locksThrough('ioredis', { ttlMs: 2_000, waitMs: 30_000 }),
    await locksThrough('node-redis', { ttlMs: 2_000, waitMs: 30_000, handoverMax: 0 }),
  ]
  const tokens: bigint[] = []
  const errors = new Set<string>()
  let value = 0
  let written = 0
  let moving = true
  const work = Array.from({ length: 6 }, async (_, n) => {
    while (moving) {
      const write = async (token: bigint) => {
        const read = value
        await sleep(1)
        value = read + 1
        written++
        tokens.push(token)
      }
      await sessions[n % 2]!.withLock('hot', ({ token }) => write(token)).catch((error) => {
        errors.add(error.code)
        return sleep(5)
      })
    }
  })
  try {
    await until(() => written > 20)
    for (let turn = 0; turn < 4; turn++) {
      await reshard('hot', () => sleep(30))
      const seen = written
      await until(() => written > seen + 20)
    }
  } finally {
    moving = false
  }
  await Promise.all(work)
  expect(value).toBe(written)
  for (const [at, token] of tokens.entries()) if (at > 0) expect(token).toBeGreaterThan(tokens[at - 1]!)
  // While the keys of a lock are on two nodes a script may be refused: nothing has happened then.
  for (const code of errors) expect(['UNAVAILABLE', 'TIMEOUT']).toContain(code)
})
