import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@headrace/core'
import { createLocks, type Held, type Lease, type LockEvent, type LockEvents, type LocksOptions } from '@headrace/lock'
import { consulLocks } from '@headrace/lock/consul'
import { type Server, serverUrl } from '@headrace/stack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, destroySessions, freshFolder, proxyTo, startQuickConsul } from './consul-setup.ts'

let server: Server
beforeAll(async () => {
  server = await startQuickConsul()
})
afterAll(() => server.stop())

const open = (prefix: string, options: LocksOptions & { readonly url?: string } = {}) =>
  createLocks(consulLocks(options.url ?? server.url, { prefix, ttlMinMs: 300 }), options)

/** A session of the driver alone, without what `createLocks` does. */
const raw = (prefix: string, events: Partial<LockEvents> = {}, url = server.url) => {
  const nothing = () => {}
  const told = { granted: nothing, lost: nothing, asked: nothing, missed: nothing, ...events }
  return consulLocks(url, { prefix, ttlMinMs: 300 }).open({
    clock: systemClock,
    session: 'e'.repeat(32),
    ...told,
  })
}

const lost = (lease: Lease) =>
  new Promise<unknown>((resolve) => {
    if (lease.signal.aborted) resolve(lease.signal.reason)
    lease.signal.addEventListener('abort', () => resolve(lease.signal.reason))
  })

const keysIn = (folder: string) => ask<string[]>(server, 'GET', `/kv/${folder}/?keys`)

describe('work in common', () => {
  it.for([16, 0])('no update of two processes is lost and tokens grow, with %i hand-overs', async (handoverMax) => {
    const prefix = freshFolder()
    await using one = open(prefix, { handoverMax, waitMs: 20_000 })
    await using two = open(prefix, { handoverMax, waitMs: 20_000 })
    let counter = 0
    const tokens: bigint[] = []
    const add = async (n: number) => {
      for (let i = 0; i < 10; i++)
        await (n % 2 ? one : two).withLock('k', async (lease) => {
          const seen = counter
          tokens.push(lease.token)
          await sleep(1)
          expect(lease.held).toBe(true)
          counter = seen + 1
        })
    }
    await Promise.all(Array.from({ length: 8 }, (_, n) => add(n)))
    expect(counter).toBe(80)
    for (const [n, token] of tokens.entries()) if (n > 0) expect(token).toBeGreaterThan(tokens[n - 1]!)
  })

  it('an acquisition costs two requests where nobody is in the way, and four at the most where everybody is', async () => {
    const proxy = await proxyTo(server)
    const prefix = freshFolder()
    const options = { url: proxy.url, handoverMax: 0, ttlMs: 60_000, waitMs: 20_000 }
    const all = [open(prefix, options), open(prefix, options)]
    for (const locks of all) await locks.withLock('warm', () => {})
    const before = proxy.count
    for (let n = 0; n < 50; n++) await all[0]!.withLock('k', () => {})
    const free = (proxy.count - before) / 50
    const between = proxy.count
    await Promise.all(all.flatMap((locks) => Array.from({ length: 50 }, () => locks.withLock('k', () => {}))))
    const contended = (proxy.count - between) / 100
    for (const locks of all) await locks.close()
    proxy.close()
    expect(free).toBeLessThanOrEqual(2.1)
    expect(contended).toBeLessThanOrEqual(4.1)
  })

  it('many keys asked for in one turn are one request', async () => {
    const proxy = await proxyTo(server)
    const locks = open(freshFolder(), { url: proxy.url })
    await locks.withLock('warm', () => {})
    const before = proxy.count
    const leases = await Promise.all(Array.from({ length: 31 }, (_, n) => locks.acquire(`k${n}`)))
    expect(proxy.count - before).toBe(1)
    await Promise.all(leases.map((lease) => lease.release()))
    expect(proxy.count - before).toBe(2)
    await locks.close()
    proxy.close()
  })

  it('two requests for one key in one call have two places in line, and two tokens', async () => {
    const granted = Promise.withResolvers<Held>()
    const remote = raw(freshFolder(), { granted: (_, held) => granted.resolve(held) })
    const request = { key: 'k', ttlMs: 10_000, waitMs: 10_000, tokens: 1 }
    const ids = [`${'e'.repeat(32)}.1`, `${'e'.repeat(32)}.2`] as const
    const [first, second] = await remote.acquire(ids.map((id) => ({ ...request, id })))
    expect([first?.state, second?.state]).toEqual(['held', 'queued'])
    await remote.release([{ key: 'k', id: ids[0] }])
    expect((await granted.promise).token).toBeGreaterThan((first as Held).token)
    await remote.close()
  })

  it('a grant counts from the last renewal of its session, which is what Consul counts from', async () => {
    const remote = raw(freshFolder())
    const request = { ttlMs: 2_000, waitMs: 0, tokens: 1 }
    const [first] = await remote.acquire([{ ...request, key: 'a', id: `${'e'.repeat(32)}.1` }])
    await sleep(300)
    const [second] = await remote.acquire([{ ...request, key: 'b', id: `${'e'.repeat(32)}.2` }])
    expect((second as Held).sinceMs).toBe((first as Held).sinceMs)
    await sleep(700)
    const [third] = await remote.acquire([{ ...request, key: 'c', id: `${'e'.repeat(32)}.3` }])
    expect((third as Held).sinceMs).toBeGreaterThan((first as Held).sinceMs! + 900)
    await remote.close()
  })

  it('who waits for permits asks nothing while nothing changes', async () => {
    const proxy = await proxyTo(server)
    const remote = raw(freshFolder(), {}, proxy.url)
    const wanting = (n: number, weight: number) => ({
      ...{ key: 'k', id: `${'e'.repeat(32)}.${n}`, ttlMs: 60_000, waitMs: 60_000, tokens: 1 },
      share: { weight, capacity: 3 },
    })
    for (const one of [wanting(1, 2), wanting(2, 1), wanting(3, 2)]) await remote.acquire([one])
    await remote.release([wanting(2, 1)])
    await sleep(300)
    const before = proxy.count
    await sleep(500)
    expect(proxy.count - before).toBeLessThanOrEqual(1)
    await remote.close()
    proxy.close()
  })

  it('who has waited its time out is not granted, and in nobody’s way', async () => {
    const told: string[] = []
    const remote = raw(freshFolder(), { granted: (id) => told.push(id.slice(-1)) })
    const request = (n: number, waitMs: number) => ({
      key: 'k',
      id: `${'e'.repeat(32)}.${n}`,
      ttlMs: 60_000,
      waitMs,
      tokens: 1,
    })
    for (const one of [request(1, 0), request(2, 50), request(3, 60_000)]) await remote.acquire([one])
    await sleep(100)
    await remote.release([request(1, 0)])
    await expect.poll(() => told).toEqual(['3'])
    await remote.close()
  })

  it('who waits for more keys than there are connections gets them all', async () => {
    const prefix = freshFolder()
    await using one = open(prefix)
    await using two = open(prefix, { waitMs: 20_000 })
    const keys = Array.from({ length: 130 }, (_, n) => `k${n}`)
    const leases = await Promise.all(keys.map((key) => one.acquire(key)))
    const waiting = Promise.all(keys.map((key) => two.acquire(key)))
    await sleep(300)
    await Promise.all(leases.map((lease) => lease.release()))
    await Promise.all((await waiting).map((lease) => lease.release()))
  })

  it('nothing is left in Consul but the epoch of the tokens', async () => {
    const prefix = freshFolder()
    const locks = open(prefix)
    await locks.withLock('k', () => {})
    await locks.tryAcquire('k2')
    await locks.close()
    expect(await keysIn(prefix)).toEqual([`${prefix}/.epoch`])
    expect(await ask(server, 'GET', '/session/list')).toEqual([])
  })

  it('what somebody else has put into the folder of a key stands in nobody’s way', async () => {
    const prefix = freshFolder()
    await ask(server, 'PUT', `/kv/${prefix}/k/garbage`, 'x')
    await using locks = open(prefix)
    await using lease = await locks.acquire('k')
    expect((await locks.inspect('k'))?.holders).toHaveLength(1)
    expect(lease.held).toBe(true)
  })

  it('a lease outlives many ttls, and its session is one', async () => {
    await using locks = open(freshFolder(), { ttlMs: 300 })
    await using lease = await locks.acquire('k')
    await sleep(2_000)
    expect(lease.held).toBe(true)
    expect(await ask(server, 'GET', '/session/list')).toHaveLength(1)
  })

  it('a ttl that the agents do not take is refused, with the option to look at', async () => {
    const strict = consulLocks(serverUrl('consul'), { prefix: freshFolder(), ttlMinMs: 1_000 })
    await using locks = createLocks(strict, { ttlMs: 1_000 })
    const refusal = locks.acquire('k')
    await expect(refusal).rejects.toMatchObject({ code: 'REJECTED' })
    await expect(refusal).rejects.toThrow('ttlMinMs')
  })
})

describe('what goes wrong', () => {
  it('a session that is destroyed takes its leases with it, at once', async () => {
    const prefix = freshFolder()
    const locks = open(prefix, { ttlMs: 60_000 })
    const lease = await locks.acquire('k')
    const began = performance.now()
    await destroySessions(server)
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(lease.held).toBe(false)
    const next = await locks.acquire('k')
    expect(next.token).toBeGreaterThan(lease.token)
    await locks.close()
  })

  it('who waited under a session that is destroyed queues again', async () => {
    const prefix = freshFolder()
    await using one = open(prefix, { ttlMs: 60_000 })
    await using two = open(prefix, { ttlMs: 600, waitMs: 10_000 })
    const lease = await one.acquire('k')
    const waiting = two.acquire('k')
    await sleep(100)
    const sessions = await ask<{ ID: string; TTL: string }[]>(server, 'GET', '/session/list')
    await ask(server, 'PUT', `/session/destroy/${sessions.find(({ TTL }) => TTL === '600ms')!.ID}`)
    await sleep(200)
    await lease.release()
    const next = await waiting
    expect(next.token).toBeGreaterThan(lease.token)
    expect(next.held).toBe(true)
  })

  it('an entry that is deleted by hand is a lost lease, found at the next renewal', async () => {
    const prefix = freshFolder()
    await using locks = open(prefix, { ttlMs: 600 })
    const lease = await locks.acquire('k')
    await ask(server, 'DELETE', `/kv/${prefix}/k/?recurse`)
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
  })

  it('a lease and a line outlive an agent that is killed and started again', async () => {
    const prefix = freshFolder()
    const events: LockEvent[] = []
    await using one = open(prefix, { ttlMs: 20_000, observe: (event) => events.push(event) })
    await using two = open(prefix, { ttlMs: 20_000, waitMs: 20_000 })
    const lease = await one.acquire('k')
    const waiting = two.acquire('k')
    await sleep(200)
    await server.kill()
    await expect(one.acquire('other')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.restart()
    expect(lease.held).toBe(true)
    expect(await lease.release()).toBe(true)
    const next = await waiting
    expect(next.token).toBeGreaterThan(lease.token)
    await next.release()
  })

  it('an agent that is away for longer than the ttl costs the lease', async () => {
    await using locks = open(freshFolder(), { ttlMs: 600 })
    const lease = await locks.acquire('k')
    await server.kill()
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    await server.restart()
    await expect.poll(() => locks.tryAcquire('k').catch(() => null), { timeout: 5_000 }).not.toBeNull()
  })

  it('an agent that hangs makes the call time out, and what it granted after that is given back', async () => {
    const prefix = freshFolder()
    await using one = open(prefix, { callMs: 300, ttlMs: 60_000 })
    await using two = open(prefix, { ttlMs: 60_000, waitMs: 10_000 })
    await one.withLock('warm', () => {})
    await two.withLock('warm', () => {})
    server.pause()
    await expect(one.acquire('k')).rejects.toMatchObject({ code: 'TIMEOUT' })
    server.resume()
    await using lease = await two.acquire('k')
    expect(lease.held).toBe(true)
  })

  it('an acquisition whose answer is lost leaves nothing locked, and its session takes no newcomers', async () => {
    const proxy = await proxyTo(server)
    const prefix = freshFolder()
    const one = open(prefix, { url: proxy.url, ttlMs: 60_000 })
    await one.withLock('warm', () => {})
    const [before] = await ask<{ ID: string }[]>(server, 'GET', '/session/list')
    proxy.loseAnswer()
    await expect(one.acquire('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await using two = open(prefix, { ttlMs: 60_000 })
    await (await two.acquire('k')).release()
    await one.withLock('k', () => {})
    const after = await ask<{ ID: string }[]>(server, 'GET', '/session/list')
    expect(after.map(({ ID }) => ID)).not.toContain(before!.ID)
    await one.close()
    proxy.close()
  })

  it('tokens go on growing when Consul has lost everything', async () => {
    const prefix = freshFolder()
    await using one = open(prefix)
    const before = await one.acquire('k')
    await server.wipe()
    await using two = open(prefix, { waitMs: 10_000 })
    const after = await two.acquire('k')
    expect(after.token).toBeGreaterThan(before.token)
    expect(await lost(before)).toMatchObject({ code: 'LOST' })
    const again = await one.tryAcquire('k2')
    expect(again?.held).toBe(true)
  })

  it('tokens go on growing when Consul is restored from a snapshot that is older', async () => {
    const prefix = freshFolder()
    await using locks = open(prefix, { ttlMs: 1_000 })
    await locks.withLock('k', () => {})
    const snapshot = await (await fetch(`${server.url}/v1/snapshot`)).arrayBuffer()
    let last = 0n
    for (let n = 0; n < 300; n++)
      await locks.withLock('k', ({ token }) => {
        last = token
      })
    await server.wipe()
    await fetch(`${server.url}/v1/snapshot`, { method: 'PUT', body: snapshot })
    const take = () =>
      locks
        .withLock('k', ({ token }) => token)
        .catch(async () => {
          await sleep(50)
          return 0n
        })
    let token = await take()
    for (let n = 0; n < 100 && token === 0n; n++) token = await take()
    expect(token).toBeGreaterThan(last)
  })
})
