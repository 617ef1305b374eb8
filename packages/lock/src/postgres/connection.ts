import { type Clock, HeadraceError, within } from '@headrace/core'

/** The part of a `Pool` of the npm package pg that is used. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
}

export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<unknown>
  release(destroy?: boolean): void
  on(event: string, listener: (given?: unknown) => void): unknown
}

export type Row = Readonly<Record<string, unknown>>

/** A connection that this session has to itself: the locks that it takes on it end with it. */
export interface Connection {
  readonly open: boolean
  /** Ids whose lock it carries, or waits for. */
  readonly ids: Set<string>
  /** How long it may be silent before the server closes it. */
  readonly idleMs: number
  /** Raises `idleMs`. */
  linger(idleMs: number): Promise<void>
  /** The rows of one statement. One that gets no answer costs the connection, as its outcome is not known. */
  ask(what: string, text: string, values?: unknown[]): Promise<readonly Row[]>
  /** Runs a statement that may take as long as it likes. */
  wait(statement: string): Promise<unknown>
  /** The process of the server that serves it. */
  readonly pid: number
  /** Says that the server is there and the connection what it was; that restarts the time until the server closes it. */
  ping(): Promise<void>
  /** Closes it; the server then frees what it held. */
  close(): void
}

// Longer than `callMs` of createLocks, which has given up by then: this is for connections whose other end is gone.
const answerMs = 10_000

const settings = (name: string, idleMs: number) => ({
  // The server closes a connection that is silent for this long, and with it end the locks: this is the ttl.
  idle_session_timeout: `${idleMs}`,
  // Waiting for a lock is one long statement.
  statement_timeout: '0',
  lock_timeout: '0',
  // A waiter that is gone must not stay in line.
  client_connection_check_interval: '1000',
  default_transaction_isolation: 'read committed',
  application_name: name,
})

export async function openConnection(options: {
  readonly pool: PostgresPool
  readonly clock: Clock
  readonly name: string
  readonly idleMs: number
  readonly pooler: 'none' | 'session'
  readonly ended: (connection: Connection) => void
}): Promise<Connection> {
  const { pool, clock, name, pooler, ended } = options
  const client = await within(clock, answerMs, pool.connect(), {
    what: 'a connection of the pool',
    onLate: (late) => late.release(),
  }).catch((error: unknown) => {
    throw refusal(error) ?? error
  })
  const ids = new Set<string>()
  let open = true
  // The client takes one statement at a time.
  let last: Promise<unknown> = Promise.resolve()
  let pid = 0
  let { idleMs } = options

  const close = () => {
    if (!open) return
    open = false
    client.release(true)
    ended(connection)
  }
  client.on('error', close)
  client.on('end', close)

  const connection: Connection = {
    get open() {
      return open
    },
    ids,
    get idleMs() {
      return idleMs
    },
    async linger(ms) {
      await connection.ask('the ttl', `select set_config('idle_session_timeout', $1, false)`, [`${ms}`])
      idleMs = Math.max(idleMs, ms)
    },
    ask(what, text, values) {
      const turn = last.then(async () => {
        if (!open) throw new Error('the connection has ended')
        try {
          const result = await within(clock, answerMs, client.query(text, values), { what })
          return (result as { rows: readonly Row[] }).rows
        } catch (error) {
          if (!isAnswer(error)) close()
          throw refusal(error) ?? error
        }
      })
      last = turn.catch(() => {})
      return turn
    },
    wait: (statement) => client.query(statement),
    get pid() {
      return pid
    },
    async ping() {
      const [row] = await connection.ask('a look at the connection', 'select pg_backend_pid() as pid')
      if (row?.['pid'] === pid) return
      close()
      throw transactionPooler()
    },
    close,
  }
  try {
    const entries = Object.entries(settings(name, idleMs))
    const columns = entries.map((_, n) => `set_config($${2 * n + 1}, $${2 * n + 2}, false)`)
    const [row] = await connection.ask('the settings', `select pg_backend_pid() as pid, ${columns}`, entries.flat())
    pid = row?.['pid'] as number
    // What a server says of itself at the start is its process; a pooler in between says something that it made up.
    const told = (client as { processID?: unknown }).processID
    if (pooler === 'none' && told !== undefined && told !== null && told !== pid) throw transactionPooler()
    await connection.ping()
    return connection
  } catch (error) {
    close()
    throw error
  }
}

const transactionPooler = () =>
  new HeadraceError(
    'REJECTED',
    "this connection goes through a pooler, which may lose its locks: connect to PostgreSQL itself, or to a pooler that keeps sessions and say pooler: 'session'",
  )

/** Whether the server has answered, and the connection can be used again. */
function isAnswer(error: unknown): boolean {
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && severity === 'ERROR'
}

// Authorization, no database, no privilege, a replica, and a setting that this version does not have.
const final = /^(28...|3D000|42501|25006|42704)$/

function refusal(error: unknown): HeadraceError | undefined {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !final.test(code)) return undefined
  const why = code === '42704' ? 'it has no idle_session_timeout: PostgreSQL 14 or later is needed' : code
  return new HeadraceError('REJECTED', `postgres refuses: ${why}`, { cause: error })
}
