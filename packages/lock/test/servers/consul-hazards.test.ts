import { setTimeout as sleep } from 'node:timers/promises'
import type { LockEvent } from '@headrace/lock'
import { describe, expect, it } from 'vitest'
import { ask, consulFixture, destroySessions, freshFolder, proxyTo } from './consul-setup.ts'
import { lost } from './lost.ts'

const fixture = consulFixture()
const { open } = fixture

describe('hazards of Consul', () => {
  it('a session that is destroyed takes its leases with it, at once', async () => {
    const prefix = freshFolder()
    const locks = open(prefix, { ttlMs: 60_000 })
    const lease = await locks.acquire('k')
    const began = performance.now()
    await destroySessions(fixture.server)
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    // A renewal would find it out at a third of the ttl.
    expect(performance.now() - began).toBeLessThan(15_000)
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
    const sessions = await ask<{ ID: string; TTL: string }[]>(fixture.server, 'GET', '/session/list')
    await ask(fixture.server, 'PUT', `/session/destroy/${sessions.find(({ TTL }) => TTL === '600ms')!.ID}`)
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
    await ask(fixture.server, 'DELETE', `/kv/${prefix}/k/?recurse`)
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
    await fixture.server.kill()
    await expect(one.acquire('other')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await fixture.server.restart()
    expect(lease.held).toBe(true)
    expect(await lease.release()).toBe(true)
    const next = await waiting
    expect(next.token).toBeGreaterThan(lease.token)
    await next.release()
  })

  it('an agent that is away for longer than the ttl costs the lease', async () => {
    await using locks = open(freshFolder(), { ttlMs: 600 })
    const lease = await locks.acquire('k')
    await fixture.server.kill()
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    await fixture.server.restart()
    await expect.poll(() => locks.tryAcquire('k').catch(() => null), { timeout: 5_000 }).not.toBeNull()
  })

  it('an agent that hangs makes the call time out, and what it granted after that is given back', async () => {
    const prefix = freshFolder()
    await using one = open(prefix, { callMs: 300, ttlMs: 60_000 })
    await using two = open(prefix, { ttlMs: 60_000, waitMs: 10_000 })
    await one.withLock('warm', () => {})
    await two.withLock('warm', () => {})
    fixture.server.pause()
    await expect(one.acquire('k')).rejects.toMatchObject({ code: 'TIMEOUT' })
    fixture.server.resume()
    await using lease = await two.acquire('k')
    expect(lease.held).toBe(true)
  })

  it('an acquisition whose answer is lost leaves nothing locked, and its session takes no newcomers', async () => {
    const proxy = await proxyTo(fixture.server)
    const prefix = freshFolder()
    const sessions = async () => {
      const all = await ask<{ ID: string }[]>(fixture.server, 'GET', '/session/list')
      return all.map(({ ID }) => ID)
    }
    const others = await sessions()
    const one = open(prefix, { url: proxy.url, ttlMs: 60_000 })
    await one.withLock('warm', () => {})
    const own = (await sessions()).filter((id) => !others.includes(id))
    expect(own).toHaveLength(1)
    proxy.loseAnswer()
    await expect(one.acquire('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await using two = open(prefix, { ttlMs: 60_000 })
    await (await two.acquire('k')).release()
    await one.withLock('k', () => {})
    expect(await sessions()).not.toContain(own[0])
    await one.close()
    proxy.close()
  })

  it('tokens go on growing when Consul has lost everything', async () => {
    const prefix = freshFolder()
    await using one = open(prefix)
    const before = await one.acquire('k')
    await fixture.server.wipe()
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
    const snapshot = await (await fetch(`${fixture.server.url}/v1/snapshot`)).arrayBuffer()
    let last = 0n
    for (let n = 0; n < 300; n++)
      await locks.withLock('k', ({ token }) => {
        last = token
      })
    await fixture.server.wipe()
    await fetch(`${fixture.server.url}/v1/snapshot`, { method: 'PUT', body: snapshot })
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

  it('a session that nobody renews ends within about twice its ttl, and the next in line follows', async () => {
    const prefix = freshFolder()
    const dead = fixture.raw(prefix)
    await dead.acquire([{ key: 'k', id: `${'e'.repeat(32)}.1`, ttlMs: 600, waitMs: 0, tokens: 1 }])
    await using locks = open(prefix, { ttlMs: 20_000, waitMs: 20_000 })
    expect((await locks.acquire('k')).held).toBe(true)
    await dead.close()
  })

  it('the lock-delay of Consul, 15 s after a session has ended, delays nobody: names are not used twice', async () => {
    const prefix = freshFolder()
    await using one = open(prefix, { ttlMs: 60_000 })
    await using two = open(prefix, { ttlMs: 30_000, waitMs: 12_000 })
    const lease = await one.acquire('k')
    const waiting = two.acquire('k')
    await expect.poll(async () => (await one.inspect('k'))?.queue.length).toBe(1)
    const sessions = await ask<{ ID: string; TTL: string }[]>(fixture.server, 'GET', '/session/list')
    await ask(fixture.server, 'PUT', `/session/destroy/${sessions.find(({ TTL }) => TTL === '76800ms')!.ID}`)
    const next = await waiting
    expect(next.token).toBeGreaterThan(lease.token)
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    // Nor whoever asks again.
    await next.release()
    expect((await one.acquire('k', { waitMs: 12_000 })).held).toBe(true)
  })

  it.for([429, 500])(
    '%i instead of an answer, as during a change of leader, costs no lease and no place',
    async (status) => {
      const proxy = await proxyTo(fixture.server)
      const prefix = freshFolder()
      const holder = open(prefix, { url: proxy.url, ttlMs: 5_000 })
      const waiter = open(prefix, { url: proxy.url, ttlMs: 5_000, waitMs: 30_000 })
      const lease = await holder.acquire('k')
      const waiting = waiter.acquire('k')
      await expect.poll(async () => (await holder.inspect('k'))?.queue.length).toBe(1)
      proxy.refuse(status)
      proxy.cut()
      await expect(holder.acquire('other')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      const before = proxy.count
      await expect.poll(() => proxy.count, { timeout: 5_000 }).toBeGreaterThan(before + 5)
      proxy.refuse(undefined)
      await expect.poll(async () => (await holder.inspect('k').catch(() => null))?.queue.length).toBe(1)
      expect(lease.held).toBe(true)
      expect(await lease.release()).toBe(true)
      expect((await waiting).token).toBeGreaterThan(lease.token)
      await Promise.all([holder.close(), waiter.close()])
      proxy.close()
    },
  )

  it('an index that goes back, as after a restored snapshot, is another count: who waits does not wait for the old one', async () => {
    const proxy = await proxyTo(fixture.server)
    const prefix = freshFolder()
    await using holder = open(prefix, { ttlMs: 60_000 })
    const waiter = open(prefix, { url: proxy.url, ttlMs: 60_000, waitMs: 20_000 })
    const lease = await holder.acquire('k')
    const waiting = waiter.acquire('k')
    await expect.poll(async () => (await holder.inspect('k'))?.queue.length).toBe(1)
    // What it waits for is touched, and the answer says an index that this server will not see for long.
    proxy.sayIndex(1e12)
    const { id } = (await holder.inspect('k'))!.holders[0]!
    const [entry] = await ask<{ Key: string; Value: string }[]>(fixture.server, 'GET', `/kv/${prefix}/k/${id}`)
    const before = proxy.count
    await ask(fixture.server, 'PUT', `/kv/${entry!.Key}`, Buffer.from(entry!.Value, 'base64').toString())
    await expect.poll(() => proxy.count).toBeGreaterThan(before + 1)
    const between = proxy.count
    proxy.cut()
    await expect.poll(() => proxy.count).toBeGreaterThan(between + 1)
    await lease.release()
    expect((await waiting).token).toBeGreaterThan(lease.token)
    await waiter.close()
    proxy.close()
  })
})
