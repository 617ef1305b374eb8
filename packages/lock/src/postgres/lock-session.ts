import { createHash } from 'node:crypto'
import { HeadraceError, isHeadraceError } from '@headrace/core'
import type { AcquireRequest, Held, LockEvents, LockSession, RenewRequest, Standing } from '../driver.ts'
import { type Connection, openConnection, type PostgresPool } from './connection.ts'
import { createTokens } from './tokens.ts'
import { createWaitingLines } from './waiting-lines.ts'

interface Place {
  readonly id: string
  readonly key: string
  readonly ttlMs: number
  readonly tokens: number
  /** The connection that carries the lock, or waits for it. */
  connection: Connection
  /** Undefined while it waits. */
  held: Held | undefined
  untilMs: number
}

export interface SessionOptions {
  readonly prefix: string
  readonly table: string
  readonly pooler: 'none' | 'session'
  readonly waitersMax: number
}

// How long a statement may take to reach the line. Longer than `callMs` of createLocks, which has given up by then.
const beginMs = 10_000

export function openLockSession(pool: PostgresPool, events: LockEvents, options: SessionOptions): LockSession {
  const { prefix, table, pooler, waitersMax } = options
  const { clock } = events
  const tokens = createTokens(table)
  const places = new Map<string, Place>()
  /** Which id has a key through the common connection, on which the server would let everybody in again. */
  const owners = new Map<string, string>()
  const connections = new Set<Connection>()
  let common: Connection | undefined
  let opening: Promise<Connection> | undefined
  let closed = false

  const numberOf = (key: string) =>
    createHash('sha256').update(`${prefix}\0${key}`).digest().readBigInt64BE().toString()

  const locksOf = (list: readonly { readonly key: string }[]) => list.map(({ key }) => numberOf(key))

  const open = async (ttlMs: number) => {
    const connection = await openConnection({
      pool,
      clock,
      name: `headrace lock ${events.session.slice(0, 8)}`,
      idleMs: Math.ceil(ttlMs),
      pooler,
      ended(connection) {
        connections.delete(connection)
        lines.ended(connection)
        for (const id of connection.ids) lose(id)
      },
    })
    connections.add(connection)
    if (closed) connection.close()
    if (!connection.open) connections.delete(connection)
    return connection
  }
  const lines = createWaitingLines(open, waitersMax)
  const lose = (id: string) => {
    const place = places.get(id)
    if (!place) return
    places.delete(id)
    if (owners.get(place.key) === id) owners.delete(place.key)
    if (place.held) events.lost(id)
    else events.missed()
  }

  const openCommon = async (ttlMs: number) => {
    const connection = await open(ttlMs)
    await tokens.sweep(connection)
    return connection
  }
  /** The connection on which everything happens that need not wait. */
  const commonFor = async (ttlMs: number) => {
    if (!common?.open) {
      opening ??= openCommon(ttlMs).finally(() => {
        opening = undefined
      })
      common = await opening
    }
    if (ttlMs > common.idleMs) await common.linger(Math.ceil(ttlMs))
    return common
  }

  /** What the server grants at once, all in two statements. */
  const take = async (requests: readonly AcquireRequest[]): Promise<void> => {
    const connection = await commonFor(Math.max(...requests.map(({ ttlMs }) => ttlMs)))
    const wanted: AcquireRequest[] = []
    for (const request of requests) {
      if (owners.has(request.key)) continue
      owners.set(request.key, request.id)
      wanted.push(request)
    }
    const granted: AcquireRequest[] = []
    const disown = (list: readonly AcquireRequest[]) => {
      for (const { key, id } of list) if (owners.get(key) === id) owners.delete(key)
    }
    if (wanted.length === 0) return
    const sinceMs = clock.nowMs()
    try {
      const rows = await connection.ask(
        'the locks',
        'select n, pg_try_advisory_lock(lock) as got from unnest($1::bigint[]) with ordinality as wanted (lock, n)',
        [locksOf(wanted)],
      )
      for (const { n, got } of rows) if (got) granted.push(wanted[Number(n) - 1]!)
      disown(wanted.filter((request) => !granted.includes(request)))
      if (granted.length === 0) return
      const counts = granted.map((request) => request.tokens)
      const first = await tokens.reserve(connection, locksOf(granted), counts)
      if (!connection.open) throw new Error('the connection ended meanwhile')
      for (const [n, request] of granted.entries())
        enter(request, connection, { state: 'held', token: first[n]!, tokens: counts[n]!, sinceMs })
    } catch (error) {
      disown(wanted)
      if (connection.open && granted.length > 0) await unlock(connection, locksOf(granted)).catch(() => {})
      throw error
    }
  }

  const enter = ({ id, key, ttlMs, waitMs, tokens: count }: AcquireRequest, connection: Connection, held?: Held) => {
    const place: Place = { id, key, ttlMs, tokens: count, connection, held, untilMs: clock.nowMs() + waitMs }
    places.set(id, place)
    connection.ids.add(id)
    return place
  }

  const unlock = async (connection: Connection, locks: readonly string[]) => {
    try {
      const rows = await connection.ask(
        'the release',
        'select pg_advisory_unlock(lock) as was from unnest($1::bigint[]) with ordinality as given (lock, n) order by n',
        [locks],
      )
      return rows.map(({ was }) => was === true)
    } catch (error) {
      // Nobody would give them back after this.
      connection.close()
      throw error
    }
  }

  /** Puts a request in line at the server, on a connection that does nothing else. Resolves when it is in line. */
  const queue = async (request: AcquireRequest): Promise<Standing> => {
    const connection = await lines.take(Math.ceil(request.ttlMs))
    const place = enter(request, connection)
    const done = connection.wait(`select pg_advisory_lock(${numberOf(request.key)})`)
    let over = false
    const end = () => {
      over = true
    }
    done.then(end, end)
    void follow(place, done)
    // A wait has no answer until it ends, so the server is asked whether it has begun. Most often it has.
    const untilMs = clock.nowMs() + beginMs
    try {
      for (let pauseMs = 1; !over && !(await waits(connection, request.ttlMs)); pauseMs = Math.min(2 * pauseMs, 50)) {
        if (clock.nowMs() >= untilMs) throw new Error(`postgres has not begun to wait within ${beginMs} ms`)
        await clock.sleep(pauseMs)
      }
    } catch (error) {
      // Nobody knows whether it is in line: said to be, it would be passed by those who come later.
      connection.close()
      throw error
    }
    return standingOf(place)
  }

  const waits = async ({ pid }: Connection, ttlMs: number) => {
    const common = await commonFor(ttlMs)
    const [row] = await common.ask(
      'the line',
      `select wait_event_type = 'Lock' as waits from pg_stat_get_activity($1)`,
      [pid],
    )
    return row?.['waits'] === true
  }

  const follow = async (place: Place, done: Promise<unknown>) => {
    const { id, key, connection } = place
    try {
      await done
      if (places.get(id) !== place) return
      if (clock.nowMs() >= place.untilMs) {
        places.delete(id)
        await unlock(connection, [numberOf(key)])
        return lines.giveBack(connection)
      }
      // The server counts the ttl from the end of this statement, at the earliest.
      const sinceMs = clock.nowMs()
      const [token] = await tokens.reserve(connection, [numberOf(key)], [place.tokens])
      if (places.get(id) !== place) return
      place.held = { state: 'held', token: token!, tokens: place.tokens, sinceMs }
      events.granted(id, place.held)
    } catch {
      // Its end is its withdrawal, and tells the portable type, through `lose`, to queue again.
      connection.close()
    }
  }

  const standingOf = ({ held, ttlMs }: Place): Standing => held ?? { state: 'queued', leftMs: 2 * ttlMs }

  return {
    async acquire(requests) {
      const fresh = requests.filter(({ id }) => !places.has(id))
      if (fresh.length > 0) await take(fresh)
      const outcomes = await Promise.allSettled(
        requests.map((request): Standing | Promise<Standing> => {
          const place = places.get(request.id)
          if (place) return standingOf(place)
          return request.waitMs > 0 && lines.book()
            ? lines.inOrder(request.key, () => queue(request))
            : { state: 'gone' }
        }),
      )
      return outcomes.map((outcome): Standing => {
        if (outcome.status === 'fulfilled') return outcome.value
        const cause = outcome.reason
        const error = isHeadraceError(cause) ? cause : new HeadraceError('UNAVAILABLE', 'postgres failed', { cause })
        return { state: 'failed', error }
      })
    },

    async renew(requests) {
      const own = requests.flatMap(({ id }) => places.get(id) ?? [])
      const inUse = new Set(own.filter(({ held }) => held).map(({ connection }) => connection))
      const outcomes = new Map<Connection, unknown>()
      const sinceMs = clock.nowMs()
      await Promise.all(
        [...inUse].map((connection) => connection.ping().catch((error: unknown) => outcomes.set(connection, error))),
      )
      return requests.map(({ id, ttlMs, waitMs }: RenewRequest): Standing => {
        const place = places.get(id)
        if (!place) return { state: 'gone' }
        if (!place.held) {
          place.untilMs = clock.nowMs() + waitMs
          return standingOf(place)
        }
        if (outcomes.has(place.connection)) return { state: 'failed', error: outcomes.get(place.connection) }
        place.held = { ...place.held, sinceMs }
        return { ...place.held, ttlMs: Math.min(ttlMs, place.connection.idleMs) }
      })
    },

    async release(requests) {
      const known = requests.map(({ id }) => places.get(id))
      const answers = requests.map(() => false)
      const together: { readonly place: Place; readonly n: number }[] = []
      const unlocked: Promise<void>[] = []
      for (const [n, place] of known.entries()) {
        if (!place) continue
        const { id, key, connection } = place
        // Forgotten at once: what else is asked on its connection comes after this.
        places.delete(id)
        connection.ids.delete(id)
        if (connection === common) {
          owners.delete(key)
          together.push({ place, n })
        } else if (place.held) {
          const alone = async () => {
            const [was] = await unlock(connection, [numberOf(key)])
            answers[n] = was!
            lines.giveBack(connection)
          }
          unlocked.push(alone())
        }
        // It cannot be asked anything while it waits. The server drops it as soon as it looks, or has granted it.
        else connection.close()
      }
      if (together.length > 0) {
        const all = async () => {
          const was = await unlock(common!, locksOf(together.map(({ place }) => place)))
          for (const [at, { n }] of together.entries()) answers[n] = was[at]!
        }
        unlocked.push(all())
      }
      await Promise.all(unlocked)
      return answers
    },

    inspect: () => Promise.resolve(null),
    evict: () => Promise.resolve(0),

    close() {
      closed = true
      places.clear()
      for (const connection of connections) connection.close()
      return Promise.resolve()
    },
  }
}
