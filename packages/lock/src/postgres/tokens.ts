import type { Connection, Row } from './connection.ts'

/** The last token of each key, by the number of its lock, in a table. Asked for only while that lock is held. */
export interface Tokens {
  /** The first of `counts[n]` consecutive tokens for `locks[n]`; no two are the same. */
  reserve(connection: Connection, locks: readonly string[], counts: readonly number[]): Promise<bigint[]>
  /** Removes some rows of keys that nobody has asked for in the last hour. */
  sweep(connection: Connection): Promise<void>
}

/** @param table as it is written in SQL. */
export function createTokens(table: string): Tokens {
  // Never below the microseconds since 1970: tokens go on growing when the table has been lost or an old backup is restored.
  const reserve = `
    insert into ${table} as old (lock, token)
    select lock, floor(extract(epoch from clock_timestamp()) * 1000000)::bigint + count - 1
    from unnest($1::bigint[], $2::int[]) as wanted (lock, count)
    on conflict (lock) do update set token =
      greatest(old.token + (select count from unnest($1::bigint[], $2::int[]) as wanted (lock, count) where wanted.lock = old.lock), excluded.token)
    returning lock, token`
  // A token is a time, so an old one is below what the clock gives anyway, unless that is set back by more than an hour.
  const sweep = `
    delete from ${table} where lock in (
      select lock from ${table}
      where token < floor((extract(epoch from clock_timestamp()) - 3600) * 1000000)::bigint limit 1000 for update skip locked
    )`
  const create = `create table if not exists ${table} (lock bigint primary key, token bigint not null)`

  return {
    async reserve(connection, locks, counts) {
      let rows: readonly Row[]
      try {
        rows = await connection.ask('the tokens', reserve, [locks, counts])
      } catch (error) {
        if ((error as { code?: unknown }).code !== '42P01') throw error
        // Another process that makes it at the same moment can make this one fail; the table is there then.
        await connection.ask('the table of tokens', create).catch(() => {})
        rows = await connection.ask('the tokens', reserve, [locks, counts])
      }
      const last = new Map(rows.map(({ lock, token }) => [lock, BigInt(token as string)]))
      return locks.map((lock, n) => last.get(lock)! - BigInt(counts[n]! - 1))
    },
    async sweep(connection) {
      // It is housekeeping: where it fails, the next session does it.
      await connection.ask('the old tokens', sweep).catch(() => {})
    },
  }
}
