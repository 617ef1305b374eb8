import net, { type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from '@headrace/stack'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { redisFixture, renewed, until } from './redis-fixture.ts'

const fixture = redisFixture({ appendOnly: true })
const { connect, locksOn } = fixture

/** Passes on what comes, in both directions. */
interface Proxy {
  readonly port: number
  /** The next request arrives; instead of its reply the connection ends. How often that has happened is counted. */
  loseReply(): void
  readonly lost: number
  close(): void
}

async function proxyTo(server: Server): Promise<Proxy> {
  const target = Number(new URL(server.url).port)
  const sockets = new Set<Socket>()
  let losing = false
  let lost = 0
  const listener = net.createServer((client) => {
    const upstream = net.connect(target, '127.0.0.1')
    let silent = false
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    client.on('data', (chunk) => {
      silent ||= losing
      losing = false
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (!silent) return client.write(chunk)
      lost++
      client.destroy()
    })
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    port: (listener.address() as AddressInfo).port,
    loseReply() {
      losing = true
    },
    get lost() {
      return lost
    },
    close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
    },
  }
}

let proxy: Proxy
beforeAll(async () => {
  proxy = await proxyTo(fixture.server)
})
afterAll(() => proxy.close())

/** Locks whose replies can be lost, warm, and somebody else's. */
async function sides(options: { readonly maxRetriesPerRequest?: number } = {}) {
  const [locks, others] = [locksOn(connect({ ...options, port: proxy.port })), locksOn(connect())]
  await locks.withLock('warm', () => {})
  await others.withLock('warm', () => {})
  return { locks, others, before: proxy.lost }
}

it('an acquisition whose reply is lost with its connection leaves no orphan', async () => {
  const { locks, others, before } = await sides({ maxRetriesPerRequest: 0 })
  proxy.loseReply()
  await expect(locks.acquire('k', { ttlMs: 60_000 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(proxy.lost).toBe(before + 1)
  expect((await others.acquire('k', { waitMs: 30_000 })).held).toBe(true)
})

it('an acquisition that the client sends again, because its reply was lost, is one acquisition', async () => {
  const { locks, others, before } = await sides()
  proxy.loseReply()
  const lease = await locks.acquire('k', { ttlMs: 60_000 })
  expect(proxy.lost).toBe(before + 1)
  expect(lease.held).toBe(true)
  expect((await others.inspect('k'))?.holders).toMatchObject([{ token: lease.token }])
  expect(await lease.release()).toBe(true)
  expect(await others.tryAcquire('k')).not.toBeNull()
})

it('a release whose reply is lost frees the key once, and never that of the next holder', async () => {
  const { locks, others, before } = await sides()
  const lease = await locks.acquire('k', { ttlMs: 60_000 })
  const waiting = others.acquire('k', { ttlMs: 60_000, waitMs: 30_000 })
  waiting.catch(() => {})
  await until(async () => (await others.inspect('k'))?.queue.length === 1)
  proxy.loseReply()
  // The client sends it again: it was not held any more by then.
  expect(await lease.release()).toBe(false)
  expect(proxy.lost).toBe(before + 1)
  const next = await waiting
  expect(next.held).toBe(true)
  expect(await next.release()).toBe(true)
})

it.each([0, 20])('a renewal whose reply is lost costs no lease (the client repeats it %i times)', async (repeats) => {
  const { locks, others, before } = await sides({ maxRetriesPerRequest: repeats })
  const lease = await locks.acquire('k', { ttlMs: 3_000 })
  proxy.loseReply()
  await until(() => proxy.lost === before + 1)
  await renewed(others, 'k')
  expect(lease.held).toBe(true)
  expect(await lease.release()).toBe(true)
})

it('a server that is killed in the middle of scripts and restarts with its data has no half of one', async () => {
  const all = [locksOn(connect(), { handoverMax: 0 }), locksOn(connect(), { handoverMax: 0 })]
  const keys = ['a', 'b', 'c']
  let running = true
  let taken = 0
  const work = all.flatMap((locks) =>
    Array.from({ length: 6 }, async (_, n) => {
      while (running)
        await locks
          .withLock(keys[n % 3]!, () => taken++, { ttlMs: 1_000, waitMs: 30_000, mode: n > 3 ? 'shared' : 'exclusive' })
          .catch(() => sleep(5))
    }),
  )
  try {
    for (let turn = 0; turn < 3; turn++) {
      const before = taken
      await until(() => taken > before + 50)
      await fixture.server.kill()
      await fixture.server.restart()
    }
  } finally {
    running = false
  }
  await Promise.all(work)
  for (const key of keys) {
    await all[0]!.withLock(key, ({ held }) => expect(held).toBe(true), { waitMs: 30_000 })
    await until(async () => (await all[0]!.inspect(key)) === null)
  }
})
