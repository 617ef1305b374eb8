import { systemClock } from '@headrace/core'
import { createLocks, type LockDriver, type Locks, type LocksOptions, type Standing } from '@headrace/lock'
import { type PostgresLocksOptions, postgresLocks } from '@headrace/lock/postgres'
import { type Server, startPostgres } from '@headrace/stack'
import { Pool, type PoolConfig } from 'pg'
import { afterAll, afterEach, beforeAll } from 'vitest'

export interface PostgresFixture {
  readonly server: Server
  /** Connections of somebody else. */
  readonly operator: Pool
  freshPool(config?: PoolConfig): Pool
  /** Locks with a pool of their own; both are closed after the test. */
  open(options?: LocksOptions & PostgresLocksOptions & { readonly config?: PoolConfig }): { locks: Locks; pool: Pool }
  /** To be closed after the test, the last one first. */
  readonly endings: (() => Promise<unknown> | unknown)[]
  waitingProcesses(): Promise<number[]>
  /** Ends the server's processes that wait for a lock, or those that do not. */
  terminate(waiting: boolean): Promise<number>
}

/** A server for the tests of one file. */
export function postgresFixture(): PostgresFixture {
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
  return {
    get server() {
      return server
    },
    get operator() {
      return operator
    },
    endings,
    freshPool,
    open(options = {}) {
      const pool = freshPool(options.config)
      const locks = createLocks(postgresLocks(pool, options), options)
      endings.push(() => locks.close())
      return { locks, pool }
    },
    async waitingProcesses() {
      const { rows } = await operator.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name like 'headrace lock%' and wait_event_type = 'Lock'`,
      )
      return rows.map(({ pid }) => pid)
    },
    async terminate(waiting) {
      const { rowCount } = await operator.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name like 'headrace lock%' and (coalesce(wait_event_type, '') = 'Lock') = $1`,
        [waiting],
      )
      return rowCount ?? 0
    },
  }
}

export const addressOf = (url: string): { host: string; port: number; database: string } => {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port), database: 'postgres' }
}

/** A session of the driver alone, whose requests are numbers. */
export interface PostgresGuest {
  /** Whose turn has come. */
  readonly told: readonly number[]
  ask(n: number, waitMs?: number): Promise<Standing['state']>
  release(n: number): Promise<unknown>
  close(): Promise<void>
}

export function openGuest(driver: LockDriver, ttlMs = 60_000): PostgresGuest {
  const told: number[] = []
  const session = crypto.randomUUID().replaceAll('-', '')
  const nothing = () => {}
  const remote = driver.open({
    ...{ clock: systemClock, session, lost: nothing, asked: nothing, missed: nothing },
    granted: (id) => told.push(Number(id.split('.')[1])),
  })
  const request = (n: number, waitMs = 0) => ({ key: 'k', id: `${session}.${n}`, ttlMs, waitMs, tokens: 1 })
  return {
    told,
    ask: async (n: number, waitMs = 0) => (await remote.acquire([request(n, waitMs)]))[0]!.state,
    release: (n: number) => remote.release([request(n)]),
    close: () => remote.close(),
  }
}
