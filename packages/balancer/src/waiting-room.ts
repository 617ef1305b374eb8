import { type Clock, HeadraceError, isHeadraceError, within } from '@headrace/core'
import { createLine, type Line } from './line.ts'

/** Where calls wait for an endpoint: one line for whatever is free first, and one for each key that is held up. */
export interface WaitingRoom<Served> {
  /** Who waits for whatever is free first. */
  readonly line: Line
  /**
   * Waits until `attempt` gives something; what it throws ends the wait.
   * @throws HeadraceError `BUSY` when the room is full, `UNAVAILABLE` after `waitMs`, `ABORTED`.
   */
  wait(
    attempt: () => Served | null,
    options: { readonly key?: string | undefined; readonly waitMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Served>
  /** The key is not held up any more. */
  serveKey(key: string): void
  /** Everything may be different now. */
  serveAll(): void
}

const waitingMax = 1_000

/** @param undo gives back what is served to one who has just given up. */
export function createWaitingRoom<Served>(clock: Clock, undo: (served: Served) => void): WaitingRoom<Served> {
  const line = createLine()
  const held = new Map<string, Line>()
  let waiting = 0

  function lineOf(key: string | undefined): Line {
    if (key === undefined) return line
    const found = held.get(key) ?? createLine()
    held.set(key, found)
    return found
  }

  function serveKey(key: string): void {
    held.get(key)?.serve()
  }

  return {
    line,
    async wait(attempt, { key, waitMs, signal }) {
      if (waiting >= waitingMax) throw new HeadraceError('BUSY', `${waiting} calls wait for an endpoint already`)
      const own = lineOf(key)
      let leave = () => {}
      const served = new Promise<Served>((resolve, reject) => {
        leave = own.join(() => {
          try {
            const result = attempt()
            if (result === null) return false
            resolve(result)
          } catch (error) {
            reject(error)
          }
          return true
        })
      })
      waiting++
      try {
        return await within(clock, waitMs, served, { signal, onLate: undo })
      } catch (error) {
        if (!isHeadraceError(error, 'TIMEOUT')) throw error
        throw new HeadraceError('UNAVAILABLE', `no endpoint could take it within ${waitMs} ms`)
      } finally {
        waiting--
        leave()
        if (key !== undefined && own.length === 0 && held.get(key) === own) held.delete(key)
      }
    },
    serveKey,
    serveAll() {
      line.serve()
      for (const key of [...held.keys()]) serveKey(key)
    },
  }
}
