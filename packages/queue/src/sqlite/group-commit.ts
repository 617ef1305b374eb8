import type { DatabaseSync } from 'node:sqlite'

export interface GroupCommit {
  /**
   * Runs `change` in a transaction, `applied` as soon as it is on the disk, and then resolves.
   * @throws CommitError
   */
  commit<Result>(change: () => Result, applied?: () => void): Promise<Result>
  /** False after a transaction that failed, for as long as the file cannot be read: what is known in memory is wrong. */
  readonly sure: boolean
  /** Commits what waits, and refuses what comes later. */
  close(): void
}

export class CommitError extends Error {
  /** Whether it is certain that nothing was stored; false where the disk failed in the middle of the commit itself. */
  readonly certain: boolean

  constructor(cause: unknown, certain: boolean) {
    super(`the transaction failed: ${cause instanceof Error ? cause.message : cause}`, { cause })
    this.certain = certain
  }
}

interface Waiting {
  readonly change: () => unknown
  readonly applied: (() => void) | undefined
  readonly resolve: (result: unknown) => void
  readonly reject: (error: CommitError) => void
}

/** All changes of one turn of the event loop share a transaction, and so its one wait for the disk. */
export function createGroupCommit(
  db: DatabaseSync,
  hooks: {
    committed(): void
    /** What was changed in memory by a transaction that failed is wrong now. Called again before the next, where it throws. */
    restore(): void
  },
): GroupCommit {
  const begin = db.prepare('BEGIN IMMEDIATE')
  const end = db.prepare('COMMIT')
  let waiting: Waiting[] = []
  let scheduled: ReturnType<typeof setImmediate> | undefined
  let sure = true
  let closed = false

  function restore(): void {
    sure = false
    hooks.restore()
    sure = true
  }

  function flush(): void {
    clearImmediate(scheduled)
    scheduled = undefined
    if (waiting.length === 0) return
    const group = waiting
    waiting = []
    let certain = true
    try {
      if (!sure) restore()
      begin.run()
      const results = group.map(({ change }) => change())
      certain = false
      end.run()
      group.forEach(({ applied, resolve }, at) => {
        applied?.()
        resolve(results[at])
      })
    } catch (cause) {
      try {
        db.exec('ROLLBACK')
      } catch {
        // SQLite rolls back by itself after some errors of the disk.
      }
      try {
        restore()
      } catch {
        // A disk that cannot be read, either: it is told by the next transaction.
      }
      for (const { reject } of group) reject(new CommitError(cause, certain))
      return
    }
    hooks.committed()
  }

  return {
    get sure() {
      return sure
    },
    close() {
      flush()
      closed = true
    },
    commit: (change, applied) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new CommitError('the file is closed', true))
        waiting.push({ change, applied, resolve: resolve as (result: unknown) => void, reject })
        scheduled ??= setImmediate(flush)
      }),
  }
}
