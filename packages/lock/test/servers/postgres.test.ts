import { setTimeout as sleep } from 'node:timers/promises'
import { type PostgresPool, postgresLocks } from '@headrace/lock/postgres'
import { describe, expect, it } from 'vitest'
import { addressOf, openGuest, postgresFixture } from './postgres-setup.ts'
import { freshPrefix } from './redis-setup.ts'

const fixture = postgresFixture()
const { endings, freshPool, open, waitingProcesses } = fixture

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

  it('statement_timeout and lock_timeout of the role, and a strict isolation, do not end a wait', async () => {
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
    const guest = openGuest(postgresLocks(freshPool(), { prefix: freshPrefix() }))
    endings.push(() => guest.close())
    await guest.ask(1)
    await guest.ask(2, 50)
    await guest.ask(3, 60_000)
    await sleep(100)
    await guest.release(1)
    await expect.poll(() => guest.told).toEqual([3])
  })

  it('who was told that it waits is in line, however long the server takes to get there', async () => {
    const prefix = freshPrefix()
    const pool = freshPool()
    const slow: PostgresPool = {
      async connect() {
        const client = await pool.connect()
        return {
          async query(text, values) {
            if (text.startsWith('select pg_advisory_lock')) await sleep(700)
            return await client.query(text, values)
          },
          release: (destroy) => client.release(destroy),
          on: (event, listener) => client.on(event as 'error', listener),
        }
      },
    }
    const [a, b] = [freshPool(), slow].map((from) => openGuest(postgresLocks(from, { prefix })))
    for (const guest of [a!, b!]) endings.push(() => guest.close())
    expect(await a!.ask(1)).toBe('held')
    expect(await b!.ask(1, 60_000)).toBe('queued')
    await a!.release(1)
    expect(await a!.ask(2)).toBe('gone')
    await expect.poll(() => b!.told).toEqual([1])
  })

  it('tokens go on growing when their table is lost, and old rows are removed', async () => {
    const table = `tokens_${Date.now()}`
    const { locks } = open({ prefix: freshPrefix(), table })
    const first = await locks.withLock('k', ({ token }) => token)
    await fixture.operator.query(`drop table ${table}`)
    expect(await locks.withLock('k', ({ token }) => token)).toBeGreaterThan(first)
    await fixture.operator.query(`update ${table} set token = 9000000000000000`)
    await fixture.operator.query(`insert into ${table} values (1, 1), (2, 9000000000000000)`)
    expect(await open({ prefix: freshPrefix(), table }).locks.withLock('k2', () => 'done')).toBe('done')
    expect((await fixture.operator.query(`select from ${table} where lock = 1`)).rowCount).toBe(0)
    expect((await fixture.operator.query(`select from ${table}`)).rowCount).toBe(3)
    expect(await locks.withLock('k', ({ token }) => token)).toBe(9_000_000_000_000_001n)
  })

  it('a role that may not write tokens is refused for good, and holds nothing', async () => {
    const table = `locked_${Date.now()}`
    await fixture.operator.query(`create table ${table} (lock bigint primary key, token bigint not null)`)
    await fixture.operator.query(`create role ${table} login`)
    const prefix = freshPrefix()
    const { locks } = open({
      prefix,
      table,
      config: { user: table, connectionString: undefined, ...addressOf(fixture.server.url) },
    })
    await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
    expect(await open({ prefix }).locks.tryAcquire('k')).not.toBeNull()
  })
})
