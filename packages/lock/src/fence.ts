import { checkKey, describe, HeadraceError } from '@headrace/core'

/*
 * A lock cannot stop a holder that was paused: only the resource can, by refusing a token older than the newest it has
 * seen. The newest must be made known before the first read ("seal"), not with the first write: a paused holder that wakes
 * between another's read and write would slip in, with a token that nothing newer has been seen against.
 * All of these let the same token in again: a holder writes more than once.
 */

/** @throws TypeError for what is no fencing token; `0n` is what a driver without tokens gives. */
function checkToken(token: unknown): asserts token is bigint {
  if (typeof token !== 'bigint') throw new TypeError(`token must be a bigint, received ${describe(token)}`)
  if (token <= 0n) throw new TypeError('token must be above 0n: this lease has no fencing token')
}

function staleError(token: bigint, newest: bigint): HeadraceError {
  return new HeadraceError('STALE', `the fencing token ${token} is older than ${newest}`)
}

/** A fence for something in memory, and the model of all others. */
export interface Fence {
  /** The newest token seen. */
  readonly newest: bigint
  /** Makes `token` known, before a read or a write. @throws HeadraceError `STALE` where a newer one is known already. */
  seal(token: bigint): void
}

export function memoryFence(newest = 0n): Fence {
  return {
    get newest() {
      return newest
    },
    seal(token) {
      checkToken(token)
      if (token < newest) throw staleError(token, newest)
      newest = token
    },
  }
}

export interface SqlFence {
  /** Creates the table; safe to repeat. */
  readonly create: string
  /**
   * The first statement of a transaction that reads or writes what `key` protects. It returns one row where the token is
   * let in, and none where it is stale: then roll back. It also locks the row until the end of the transaction, so that
   * a stale one which came first is seen by the reads that follow.
   */
  seal(key: string, token: bigint): { readonly text: string; readonly values: readonly [string, bigint] }
}

/**
 * Statements for PostgreSQL (`$1`, the default) or SQLite (`?`): a table of its own with the newest token of each key.
 * @param options.table name of the table, `headrace_fence` by default; letters, digits, underscores and one dot.
 */
export function sqlFence(
  options: { readonly table?: string; readonly placeholders?: 'numbered' | 'question-marks' } = {},
): SqlFence {
  const { table = 'headrace_fence', placeholders = 'numbered' } = options
  if (!/^[a-z_]\w*(\.[a-z_]\w*)?$/i.test(table)) throw new TypeError('table must be a plain name, or schema.name')
  if (!['numbered', 'question-marks'].includes(placeholders))
    throw new RangeError('placeholders must be numbered or question-marks')
  const [first, second] = placeholders === 'numbered' ? ['$1', '$2'] : ['?', '?']
  const text = `INSERT INTO ${table} AS fence (key, token) VALUES (${first}, ${second})
    ON CONFLICT (key) DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token RETURNING token`
  return {
    create: `CREATE TABLE IF NOT EXISTS ${table} (key text PRIMARY KEY, token bigint NOT NULL)`,
    seal(key, token) {
      checkKey('key', key)
      checkToken(token)
      return { text, values: [key, token] }
    },
  }
}

/**
 * Lua for the beginning of a Redis script of yours: defines `sealed(key, token)`, which is true where the token is let in.
 * Numbers of Lua end at 2^53 and tokens do not, so they are compared as text.
 * @example redis.eval(`${redisFence} if not sealed(KEYS[1], ARGV[1]) then return redis.error_reply('STALE') end …`, …)
 */
export const redisFence = `
local function sealed(key, token)
  local newest = redis.call('GET', key)
  if newest and (#newest > #token or (#newest == #token and newest > token)) then return false end
  if newest ~= token then redis.call('SET', key, token) end
  return true
end
`

/** One operation of a Consul transaction. */
export interface ConsulOperation {
  readonly KV: { readonly Verb: 'cas'; readonly Key: string; readonly Value: string; readonly Index: number }
}

/**
 * The first operation of a Consul transaction: it lets the transaction pass only where nobody has sealed `key` since it was
 * read, and seals it with `token`. To seal before a read, send it alone, and read in the same transaction.
 * @param found what `GET /v1/kv/<key>` gave (value decoded), or null where there was nothing.
 * @throws HeadraceError `STALE` where a newer token is there already.
 */
export function consulFence(
  key: string,
  token: bigint,
  found: { readonly value: string; readonly modifyIndex: number } | null,
): ConsulOperation {
  checkKey('key', key)
  checkToken(token)
  if (found && BigInt(found.value) > token) throw staleError(token, BigInt(found.value))
  const Value = Buffer.from(String(token)).toString('base64')
  return { KV: { Verb: 'cas', Key: key, Value, Index: found?.modifyIndex ?? 0 } }
}

/**
 * Headers for a conditional HTTP or S3 write of a representation that carries its token: the write passes only where
 * nobody has written since it was read. Write once with your token, unchanged, before you read to decide: that seals it.
 * @param found the token and the ETag of what is there, or null where there is nothing.
 * @throws HeadraceError `STALE` where a newer token is there already.
 */
export function httpFence(
  token: bigint,
  found: { readonly token: bigint; readonly etag: string } | null,
): Record<'If-Match', string> | Record<'If-None-Match', '*'> {
  checkToken(token)
  if (!found) return { 'If-None-Match': '*' }
  if (found.token > token) throw staleError(token, found.token)
  // A weak ETag never matches in If-Match (RFC 9110, 13.1.1): the write would always be refused.
  if (found.etag.startsWith('W/')) throw new TypeError('etag must be a strong one')
  return { 'If-Match': found.etag }
}
