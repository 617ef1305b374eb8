import net, { type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { postgresLocks } from '@headrace/lock/postgres'
import { describe, expect, it } from 'vitest'
import { lost } from './lost.ts'
import { addressOf, openGuest, postgresFixture } from './postgres-setup.ts'
import { freshPrefix } from './redis-setup.ts'

const fixture = postgresFixture()
const { endings, freshPool, open, terminate, waitingProcesses } = fixture

describe('hazards of PostgreSQL', () => {
  it('a connection that is terminated is a lost lease, at once', async () => {
    const prefix = freshPrefix()
    const { locks } = open({ prefix, ttlMs: 60_000 })
    const lease = await locks.acquire('k')
    const began = performance.now()
    await terminate(false)
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    // A renewal would find it out at a third of the ttl.
    expect(performance.now() - began).toBeLessThan(15_000)
    expect(await lease.release()).toBe(false)
    expect((await locks.acquire('k')).token).toBeGreaterThan(lease.token)
  })

  it('who waited on a connection that is terminated queues again', async () => {
    const prefix = freshPrefix()
    const one = open({ prefix })
    const two = open({ prefix, waitMs: 10_000 })
    const lease = await one.locks.acquire('k')
    const waiting = two.locks.acquire('k')
    await expect.poll(() => terminate(true)).toBe(1)
    await sleep(100)
    await lease.release()
    expect((await waiting).token).toBeGreaterThan(lease.token)
  })

  it('a waiter that gives up leaves the line to those behind it', async () => {
    const prefix = freshPrefix()
    const [one, two, three] = [open({ prefix }), open({ prefix }), open({ prefix })]
    const lease = await one.locks.acquire('k')
    await expect(two.locks.acquire('k', { waitMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect.poll(waitingProcesses, { timeout: 3_000 }).toEqual([])
    const waiting = three.locks.acquire('k')
    await sleep(100)
    await lease.release()
    await (await waiting).release()
  })

  it('a server that is killed and started again has let go of everything, and says so', async () => {
    const { locks } = open({ prefix: freshPrefix(), ttlMs: 60_000 })
    const lease = await locks.acquire('k')
    await fixture.server.kill()
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await fixture.server.restart()
    expect((await locks.acquire('k')).token).toBeGreaterThan(lease.token)
  })

  it('a server that hangs makes the call time out, and what it granted after that is given back', async () => {
    const prefix = freshPrefix()
    const one = open({ prefix, callMs: 300 })
    const two = open({ prefix })
    await one.locks.withLock('warm', () => {})
    await one.locks.withLock('warm', () => {})
    const { rows } = await fixture.operator.query(
      `select pid from pg_stat_activity where application_name like 'headrace lock%' order by backend_start`,
    )
    process.kill(rows.at(-1).pid, 'SIGSTOP')
    await expect(one.locks.acquire('k')).rejects.toMatchObject({ code: 'TIMEOUT' })
    process.kill(rows.at(-1).pid, 'SIGCONT')
    const lease = await two.locks.acquire('k')
    expect(lease.held).toBe(true)
  })

  it('idle_session_timeout is the ttl: the server ends a holder that is silent, and the next in line follows', async () => {
    const prefix = freshPrefix()
    const silent = openGuest(postgresLocks(freshPool(), { prefix }), 700)
    endings.push(() => silent.close())
    expect(await silent.ask(1)).toBe('held')
    // It neither renews nor gives back.
    const lease = await open({ prefix, waitMs: 30_000 }).locks.acquire('k')
    expect(lease.held).toBe(true)
  })

  it('an idle_session_timeout of the role that is shorter than the ttl ends no lease and no wait', async () => {
    const prefix = freshPrefix()
    const config = { options: '-c idle_session_timeout=150' }
    const [one, two] = [open({ prefix, config, ttlMs: 6_000 }), open({ prefix, config, ttlMs: 6_000, waitMs: 30_000 })]
    const lease = await one.locks.acquire('k')
    const waiting = two.locks.acquire('k')
    await expect.poll(waitingProcesses).toHaveLength(1)
    await sleep(600)
    expect(lease.held).toBe(true)
    expect(await lease.release()).toBe(true)
    expect((await waiting).token).toBeGreaterThan(lease.token)
  })

  it('a pooler in between is refused, unless it is said to keep sessions', async () => {
    const pooler = await likePooler(fixture.server.url)
    endings.push(pooler.close)
    const config = {
      connectionString: undefined,
      ...addressOf(fixture.server.url),
      user: 'postgres',
      port: pooler.port,
    }
    await expect(open({ prefix: freshPrefix(), config }).locks.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
    const { locks } = open({ prefix: freshPrefix(), config, pooler: 'session' })
    expect((await locks.acquire('k')).held).toBe(true)
  })
})

/** A proxy that says, as poolers do, a process number of its own making when a connection begins. */
async function likePooler(url: string) {
  const { hostname, port } = new URL(url)
  const proxy = net.createServer((client) => {
    const upstream = net.connect(Number(port), hostname)
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      // BackendKeyData: 'K', the length 12, process number, key.
      const at = chunk.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]))
      if (at >= 0) chunk.writeInt32BE(1_234_567, at + 5)
      client.write(chunk)
    })
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return { port: (proxy.address() as AddressInfo).port, close: () => proxy.close() }
}
