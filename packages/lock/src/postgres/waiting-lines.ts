import type { Connection } from './connection.ts'

/** The connections on which somebody waits for a key, or holds one that was waited for: one for each. */
export interface WaitingLines {
  /** Reserves a connection; false where as many are in use as may be. To be followed by `take`. */
  book(): boolean
  take(ttlMs: number): Promise<Connection>
  /** Keeps a connection that holds nothing for the next waiter, or closes it. */
  giveBack(connection: Connection): void
  /** To be told of each connection that has ended. */
  ended(connection: Connection): void
  /** Runs what is started for one key in the order in which it is started. */
  inOrder<T>(key: string, start: () => Promise<T>): Promise<T>
}

// The server closes them when nobody needs them for one ttl.
const sparesMax = 2

export function createWaitingLines(open: (ttlMs: number) => Promise<Connection>, max: number): WaitingLines {
  const inUse = new Set<Connection>()
  const spares = new Set<Connection>()
  const starts = new Map<string, Promise<unknown>>()
  let booked = 0

  return {
    book() {
      if (booked >= max) return false
      booked++
      return true
    },
    async take(ttlMs) {
      const [spare] = spares
      if (spare) {
        spares.delete(spare)
        inUse.add(spare)
        try {
          if (ttlMs > spare.idleMs) await spare.linger(ttlMs)
          return spare
        } catch (error) {
          spare.close()
          throw error
        }
      }
      try {
        const connection = await open(ttlMs)
        if (!connection.open) throw new Error('the connection ended meanwhile')
        inUse.add(connection)
        return connection
      } catch (error) {
        booked--
        throw error
      }
    },
    giveBack(connection) {
      if (inUse.delete(connection)) booked--
      connection.ids.clear()
      if (connection.open && spares.size < sparesMax) spares.add(connection)
      else connection.close()
    },
    ended(connection) {
      if (inUse.delete(connection)) booked--
      spares.delete(connection)
    },
    inOrder(key, start) {
      const turn = (starts.get(key) ?? Promise.resolve()).then(start)
      const over = turn.then(
        () => {},
        () => {},
      )
      starts.set(key, over)
      void over.then(() => {
        if (starts.get(key) === over) starts.delete(key)
      })
      return turn
    },
  }
}
