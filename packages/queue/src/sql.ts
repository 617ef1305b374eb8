import { fromColumn, toColumn } from './sqlite/text.ts'

/** A database as inbox and outbox see it: they say which statements, the application says in which transaction. */
export interface Sql {
  readonly dialect: 'sqlite' | 'postgres'
  /** Runs one statement, whose parameters are `$1`, `$2`, … in this order, each once. */
  run(statement: string, parameters: readonly SqlValue[]): SqlRows | Promise<SqlRows>
}

/** One that answers at once: then so does what is built on it. */
export interface SyncSql extends Sql {
  run(statement: string, parameters: readonly SqlValue[]): SqlRows
}

export type SqlValue = string | number | null
export type SqlRows = readonly Readonly<Record<string, unknown>>[]

/** What `node:sqlite` and libraries with its interface have in common. */
export interface SqliteDatabase {
  prepare(statement: string): { all(...parameters: SqlValue[]): unknown }
}

/** The connection of a SQLite database; what runs on it between `BEGIN` and `COMMIT` is in that transaction. */
export function sqliteSql(db: SqliteDatabase): SyncSql {
  if (typeof db?.prepare !== 'function') throw new TypeError('db must be a database of node:sqlite')
  // As many as there are statements in inbox and outbox.
  const prepared = new Map<string, ReturnType<SqliteDatabase['prepare']>>()
  return {
    dialect: 'sqlite',
    run(statement, parameters) {
      let found = prepared.get(statement)
      if (!found) {
        // Named parameters bind another way; these come in order.
        found = db.prepare(statement.replace(/\$\d+/g, '?'))
        prepared.set(statement, found)
      }
      return found.all(...parameters) as SqlRows
    },
  }
}

/** What `pg`, its pool, and libraries with its interface have in common. */
export interface PostgresClient {
  query(statement: string, parameters: unknown[]): Promise<{ rows: unknown[] }>
}

/** A client of PostgreSQL inside a transaction; for `createOutboxRelay` also a pool. */
export function postgresSql(client: PostgresClient): Sql {
  if (typeof client?.query !== 'function') throw new TypeError('client must have a query method, as those of pg do')
  return {
    dialect: 'postgres',
    async run(statement, parameters) {
      const { rows } = await client.query(statement, [...parameters])
      return rows as SqlRows
    },
  }
}

/** One statement of a longer course. */
export type Step = readonly [statement: string, parameters: readonly SqlValue[]]
export type Steps<Result> = Generator<Step, Result, SqlRows>

/** Runs statements one after the other: at once where the database answers at once, so that no other turn comes in between. */
export function runSteps<Result>(sql: Sql, steps: Steps<Result>): Result | Promise<Result> {
  let next = steps.next()
  while (!next.done) {
    const rows = sql.run(...next.value)
    if (rows instanceof Promise) return runRest(sql, steps, rows)
    next = steps.next(rows)
  }
  return next.value
}

async function runRest<Result>(sql: Sql, steps: Steps<Result>, first: Promise<SqlRows>): Promise<Result> {
  let next = steps.next(await first)
  while (!next.done) next = steps.next(await sql.run(...next.value))
  return next.value
}

// Neither PostgreSQL nor the SQLite of Node 22 keeps a NUL inside a text. A message without a key has the empty one, which no
// key is.
export const keyColumn = (key: string | undefined): string => (key === undefined ? '' : toColumn(key))
export const keyOf = (column: string): string | undefined => (column === '' ? undefined : fromColumn(column))
