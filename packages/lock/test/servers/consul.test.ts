import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks, type Held } from '@headrace/lock'
import { consulLocks } from '@headrace/lock/consul'
import { serverUrl } from '@headrace/stack'
import { describe, expect, it } from 'vitest'
import { ask, consulFixture, freshFolder, proxyTo } from './consul-setup.ts'

const fixture = consulFixture()
const { keysIn, open, raw } = fixture

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
    const proxy = await proxyTo(fixture.server)
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
    const proxy = await proxyTo(fixture.server)
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
    const proxy = await proxyTo(fixture.server)
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
    expect(await ask(fixture.server, 'GET', '/session/list')).toEqual([])
  })

  it('what somebody else has put into the folder of a key stands in nobody’s way', async () => {
    const prefix = freshFolder()
    await ask(fixture.server, 'PUT', `/kv/${prefix}/k/garbage`, 'x')
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
    expect(await ask(fixture.server, 'GET', '/session/list')).toHaveLength(1)
  })

  it('a ttl that the agents do not take is refused, with the option to look at', async () => {
    const strict = consulLocks(serverUrl('consul'), { prefix: freshFolder(), ttlMinMs: 1_000 })
    await using locks = createLocks(strict, { ttlMs: 1_000 })
    const refusal = locks.acquire('k')
    await expect(refusal).rejects.toMatchObject({ code: 'REJECTED' })
    await expect(refusal).rejects.toThrow('ttlMinMs')
  })
})
