import { createLocks } from '@headrace/lock'
import { type PostgresClient, type PostgresPool, postgresLocks } from '@headrace/lock/postgres'
import { expect, it } from 'vitest'

/** A server that grants everything; `pids` are the processes that answer, one statement after the other. */
function fakePool(pids: readonly number[], processID?: number) {
  const statements: string[] = []
  let destroyed = 0
  let asked = 0
  const client: PostgresClient & { processID?: number | undefined } = {
    processID,
    async query(text, values) {
      statements.push(text)
      if (text.includes('pg_backend_pid')) return { rows: [{ pid: pids[Math.min(asked++, pids.length - 1)] }] }
      if (text.includes('pg_try_advisory_lock'))
        return { rows: (values![0] as string[]).map((_, n) => ({ n: `${n + 1}`, got: true })) }
      if (text.includes('insert into')) return { rows: (values![0] as string[]).map((lock) => ({ lock, token: '7' })) }
      return { rows: [{ was: true }] }
    },
    release() {
      destroyed++
    },
    on() {},
  }
  const pool: PostgresPool = { connect: async () => client }
  return {
    pool,
    statements,
    get destroyed() {
      return destroyed
    },
  }
}

it('a process that changes between two statements is a pooler of transactions: nothing is acquired', async () => {
  const fake = fakePool([1, 2])
  const locks = createLocks(postgresLocks(fake.pool, { pooler: 'session' }))
  await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'REJECTED' })
  expect(fake.statements.some((text) => text.includes('advisory'))).toBe(false)
  expect(fake.destroyed).toBe(1)
  await locks.close()
})

it('a process that changes while a lease is held has lost the lease', async () => {
  const fake = fakePool([1, 1, 2])
  const locks = createLocks(postgresLocks(fake.pool, { pooler: 'session' }), { ttlMs: 60 })
  const lease = await locks.acquire('k')
  await new Promise((resolve) => lease.signal.addEventListener('abort', resolve))
  expect(lease.held).toBe(false)
  expect(fake.destroyed).toBe(1)
  await locks.close()
})

it('a process that is not the one the server named at the start is behind a pooler', async () => {
  const locks = createLocks(postgresLocks(fakePool([1], 2).pool))
  await expect(locks.acquire('k')).rejects.toThrow("pooler: 'session'")
  await locks.close()
  const direct = createLocks(postgresLocks(fakePool([1], 1).pool))
  expect((await direct.acquire('k')).token).toBe(7n - 16n)
  await direct.close()
})

it('what is not a pool, and options that SQL must not see, are refused', () => {
  const { pool } = fakePool([1])
  expect(() => postgresLocks({} as PostgresPool)).toThrow(TypeError)
  for (const table of ['', 'a b', 'a;drop table b', 'a.b.c', '"a"', '1a'])
    expect(() => postgresLocks(pool, { table })).toThrow('table')
  for (const waitersMax of [-1, 1.5]) expect(() => postgresLocks(pool, { waitersMax })).toThrow('waitersMax')
  expect(() => postgresLocks(pool, { pooler: 'transaction' as 'session' })).toThrow('pooler')
})
