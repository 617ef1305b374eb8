import net, { type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@headrace/core'
import { createLocks, type Lease, type LocksOptions } from '@headrace/lock'
import { type PostgresLocksOptions, postgresLocks } from '@headrace/lock/postgres'
import { type Server, startPostgres } from '@headrace/stack'
import { Pool, type PoolConfig } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freshPrefix } from './redis-setup.ts'

let server: Server
let operator: Pool
const endings: (() => Promise<unknown> | unknown)[] = []
beforeAll(async () => {
  server = await startPostgres()
  operator = new Pool({ connectionString: server.url })
  operator.on('error', () => {})
})
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})
afterAll(async () => {
  await operator.end()
  await server.stop()
})

const freshPool = (config: PoolConfig = {}) => {
  const pool = new Pool({ connectionString: server.url, max: 20, ...config })
  pool.on('error', () => {})
  endings.push(() => pool.end())
  return pool
}

/** Locks with a pool of their own; both are closed after the test. */
const open = (options: LocksOptions & PostgresLocksOptions & { readonly config?: PoolConfig } = {}) => {
  const pool = freshPool(options.config)
  const locks = createLocks(postgresLocks(pool, options), options)
  endings.push(() => locks.close())
  return { locks, pool }
}

const lost = (lease: Lease) =>
  new Promise<unknown>((resolve) => {
    if (lease.signal.aborted) resolve(lease.signal.reason)
    lease.signal.addEventListener('abort', () => resolve(lease.signal.reason))
  })

const waitingProcesses = async () => {
  const { rows } = await operator.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name like 'headrace lock%' and wait_event_type = 'Lock'`,
  )
  return rows.map(({ pid }) => pid)
}

const terminate = (waiting: boolean) =>
  operator.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name like 'headrace lock%' and (coalesce(wait_event_type, '') = 'Lock') = $1`,
    [waiting],
  )

describe('work in common', () => {
  it.for([16, 0])('no update of two processes is lost and tokens grow, with %i hand-overs', async (handoverMax) => {
    const prefix = freshPrefix()
    const options = { prefix, handoverMax, waitMs: 20_000 }
    const all = [open(options).locks, open(options).locks]
    let counter = 0
    const tokens: bigint[] = []
    const add = async (n: number) => {
      for (let i = 0; i < 10; i++)
        await all[n % 2]!.withLock('k', async (lease) => {
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

  it('keys that nobody contends for take one connection together, and give it back', async () => {
    const { locks, pool } = open({ prefix: freshPrefix() })
    const leases = await Promise.all(Array.from({ length: 250 }, (_, n) => locks.acquire(`k${n}`)))
    expect(pool.totalCount).toBe(1)
    expect(await Promise.all(leases.map((lease) => lease.release()))).not.toContain(false)
    await locks.close()
    await expect.poll(() => pool.totalCount).toBe(0)
  })

  it('who waits for more keys than may have a connection gets them all', async () => {
    const prefix = freshPrefix()
    const one = open({ prefix })
    const two = open({ prefix, waitersMax: 3, waitMs: 10_000, config: { max: 5 } })
    const keys = Array.from({ length: 12 }, (_, n) => `k${n}`)
    const leases = await Promise.all(keys.map((key) => one.locks.acquire(key)))
    const waiting = Promise.all(keys.map((key) => two.locks.acquire(key)))
    await sleep(300)
    expect(two.pool.totalCount).toBeLessThanOrEqual(4)
    await Promise.all(leases.map((lease) => lease.release()))
    await Promise.all((await waiting).map((lease) => lease.release()))
  })

  it('a lease outlives many ttls', async () => {
    const { locks } = open({ prefix: freshPrefix(), ttlMs: 300 })
    const lease = await locks.acquire('k')
    await sleep(1_500)
    expect(lease.held).toBe(true)
    expect(await lease.release()).toBe(true)
  })

  it('a longer ttl counts for what it was asked for, beside a shorter one', async () => {
    const { locks } = open({ prefix: freshPrefix() })
    const short = await locks.acquire('a', { ttlMs: 300 })
    const long = await locks.acquire('b', { ttlMs: 3_000 })
    await short.release()
    await sleep(700)
    expect(long.held).toBe(true)
    expect(await long.release()).toBe(true)
  })

  it('limits of the role on statements and a strict isolation do not end a wait', async () => {
    const prefix = freshPrefix()
    const one = open({ prefix })
    const config = {
      options: '-c statement_timeout=100 -c lock_timeout=100 -c default_transaction_isolation=serializable',
    }
    const two = open({ prefix, config })
    const lease = await one.locks.acquire('k')
    const waiting = two.locks.acquire('k')
    await sleep(100)
    const before = await waitingProcesses()
    await sleep(300)
    expect(before).toHaveLength(1)
    expect(await waitingProcesses()).toEqual(before)
    await lease.release()
    expect((await waiting).token).toBeGreaterThan(lease.token)
  })

  it('who has waited its time out is not granted, and in nobody’s way', async () => {
    const told: string[] = []
    const nothing = () => {}
    const session = 'e'.repeat(32)
    const remote = postgresLocks(freshPool(), { prefix: freshPrefix() }).open({
      ...{ clock: systemClock, session, lost: nothing, asked: nothing, missed: nothing },
      granted: (id) => told.push(id.slice(-1)),
    })
    endings.push(() => remote.close())
    const request = (n: number, waitMs: number) => ({
      key: 'k',
      id: `${session}.${n}`,
      ttlMs: 60_000,
      waitMs,
      tokens: 1,
    })
    for (const one of [request(1, 0), request(2, 50), request(3, 60_000)]) await remote.acquire([one])
    await sleep(100)
    await remote.release([request(1, 0)])
    await expect.poll(() => told).toEqual(['3'])
  })

  it('tokens go on growing when their table is lost, and old rows are removed', async () => {
    const table = `tokens_${Date.now()}`
    const { locks } = open({ prefix: freshPrefix(), table })
    const first = await locks.withLock('k', ({ token }) => token)
    await operator.query(`drop table ${table}`)
    expect(await locks.withLock('k', ({ token }) => token)).toBeGreaterThan(first)
    await operator.query(`update ${table} set token = 9000000000000000`)
    await operator.query(`insert into ${table} values (1, 1), (2, 9000000000000000)`)
    expect(await open({ prefix: freshPrefix(), table }).locks.withLock('k2', () => 'done')).toBe('done')
    expect((await operator.query(`select from ${table} where lock = 1`)).rowCount).toBe(0)
    expect((await operator.query(`select from ${table}`)).rowCount).toBe(3)
    expect(await locks.withLock('k', ({ token }) => token)).toBe(9_000_000_000_000_001n)
  })

  it('a role that may not write tokens is refused for good, and holds nothing', async () => {
    const table = `locked_${Date.now()}`
    await operator.query(`create table ${table} (lock bigint primary key, token bigint not null)`)
    await operator.query(`create role ${table} login`)
    const prefix = freshPrefix()
    const { locks } = open({
      prefix,
      table,
      config: { user: table, connectionString: undefined, ...addressOf(server.url) },
    })
    await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
    expect(await open({ prefix }).locks.tryAcquire('k')).not.toBeNull()
  })
})

const addressOf = (url: string) => {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port), database: 'postgres' }
}

describe('what goes wrong', () => {
  it('a connection that is terminated is a lost lease, at once', async () => {
    const prefix = freshPrefix()
    const { locks } = open({ prefix, ttlMs: 60_000 })
    const lease = await locks.acquire('k')
    const began = performance.now()
    await terminate(false)
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(await lease.release()).toBe(false)
    expect((await locks.acquire('k')).token).toBeGreaterThan(lease.token)
  })

  it('who waited on a connection that is terminated queues again', async () => {
    const prefix = freshPrefix()
    const one = open({ prefix })
    const two = open({ prefix, waitMs: 10_000 })
    const lease = await one.locks.acquire('k')
    const waiting = two.locks.acquire('k')
    await expect.poll(async () => (await terminate(true)).rowCount).toBe(1)
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
    await server.kill()
    expect(await lost(lease)).toMatchObject({ code: 'LOST' })
    await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.restart()
    expect((await locks.acquire('k')).token).toBeGreaterThan(lease.token)
  })

  it('a server that hangs makes the call time out, and what it granted after that is given back', async () => {
    const prefix = freshPrefix()
    const one = open({ prefix, callMs: 300 })
    const two = open({ prefix })
    await one.locks.withLock('warm', () => {})
    await one.locks.withLock('warm', () => {})
    const { rows } = await operator.query(
      `select pid from pg_stat_activity where application_name like 'headrace lock%' order by backend_start`,
    )
    process.kill(rows.at(-1).pid, 'SIGSTOP')
    await expect(one.locks.acquire('k')).rejects.toMatchObject({ code: 'TIMEOUT' })
    process.kill(rows.at(-1).pid, 'SIGCONT')
    const lease = await two.locks.acquire('k')
    expect(lease.held).toBe(true)
  })

  it('a pooler in between is refused, unless it is said to keep sessions', async () => {
    const pooler = await likePooler(server.url)
    endings.push(pooler.close)
    const config = { connectionString: undefined, ...addressOf(server.url), user: 'postgres', port: pooler.port }
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
