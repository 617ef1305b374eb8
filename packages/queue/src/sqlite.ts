import { DatabaseSync } from 'node:sqlite'
import { type Clock, HeadraceError, systemClock } from '@headrace/core'
import { overflowed } from './consuming/failures.ts'
import type { PublishOutcome, QueueDeclaration, QueueDriver, QueueMessage } from './driver.ts'
import { commandHeader, commandsMax, redriven } from './own-headers.ts'
import { createMailboxes } from './requests/mailboxes.ts'
import { CommitError, createGroupCommit, type GroupCommit } from './sqlite/group-commit.ts'
import { createLines } from './sqlite/lines.ts'
import { createParkedRows } from './sqlite/parked.ts'
import { createFileQueue, type FileQueue, readSums, sizeOf } from './sqlite/state.ts'
import { columnsOf, countUnfinished, createTables, deadOf, messageOf, prepareStatements } from './sqlite/tables.ts'
import { toColumn } from './sqlite/text.ts'

/**
 * Queues in one SQLite file, for one process: what is confirmed survives the end of the process and of the machine.
 * Write-ahead log with `synchronous=FULL`; all that happens in one turn of the event loop is one transaction, which works
 * in the thread of the caller. While it is open no other process can open the file.
 * @param options.clock its wall clock says when a delayed message is due.
 * @throws HeadraceError `UNAVAILABLE` where the file cannot be opened or is in use.
 */
export function sqliteQueue(path: string, options: { readonly clock?: Clock } = {}): QueueDriver {
  const { clock = systemClock } = options
  if (typeof path !== 'string' || path === '') throw new TypeError('path must be a non-empty string')
  const db = openFile(path)
  const sql = prepareStatements(db)
  const queues = new Map<string, FileQueue>()
  readSums(db, queues)
  const parked = createParkedRows(db)
  const lines = createLines(sql, parked, () => commits)
  const commits: GroupCommit = createGroupCommit(db, {
    committed: lines.deliverAll,
    restore: () => readSums(db, queues),
  })
  // Only for messages that are due in the same millisecond; a gap or a repetition after a restart does no harm.
  let nextDelayed = clock.wallMs() * 1_000
  let cancelTimer: (() => void) | undefined
  let open = true
  armTimer()

  function find(name: string): FileQueue {
    checkOpen()
    const queue = queues.get(name)
    if (!queue) throw new Error(`queue "${name}" is not declared`)
    return queue
  }

  function checkOpen(): void {
    if (!open) throw new Error('the SQLite queue is closed')
  }

  const mailboxes = createMailboxes(checkOpen)

  function store(queue: FileQueue, messages: readonly QueueMessage[]): PublishOutcome[] {
    const appended = new Map<number, QueueMessage[]>()
    const append = () => {
      for (const [partition, list] of appended) lines.append(queue.lines[partition]!, list)
      appended.clear()
    }
    let room = roomOf(queue)
    const outcomes = messages.map((message): PublishOutcome => {
      if (message.partition >= queue.lines.length) return { type: 'refused', reason: 'there is no such partition' }
      // An operator's command fits in, so that what is full of parked messages can be unparked.
      if (room + (commandHeader in message.headers ? commandsMax : 0) <= 0) {
        append()
        if (!evict(queue, message.partition)) return { type: 'full' }
      } else room--
      if (message.delayMs > 0) hold(queue, message)
      else {
        const list = appended.get(message.partition)
        if (list) list.push(message)
        else appended.set(message.partition, [message])
      }
      return stored
    })
    append()
    return outcomes
  }

  const roomOf = (queue: FileQueue) =>
    queue.declaration.depthMax - sizeOf(queue) + (queue.onFull === 'dead-letter' ? queue.dead : 0)

  function evict(queue: FileQueue, partition: number): boolean {
    if (queue.onFull !== 'dead-letter' || queue.dead >= queue.declaration.depthMax) return false
    return lines.bury(queue.lines[partition]!, overflowed(0, clock.wallMs()))
  }

  function hold(queue: FileQueue, message: QueueMessage): void {
    const dueMs = clock.wallMs() + message.delayMs
    sql.addDelayed.run(dueMs, nextDelayed++, queue.id, message.partition, ...columnsOf(message))
    queue.delayed++
  }

  function releaseDue(): void {
    const byId = new Map([...queues.values()].map((queue) => [queue.id, queue]))
    for (const row of sql.firstDelayed.all(500)) {
      const dueMs = row['due_at'] as number
      if (dueMs > clock.wallMs()) return
      const queue = byId.get(row['queue'] as number)!
      lines.append(queue.lines[row['partition'] as number]!, [messageOf(row)])
      sql.removeDelayed.run(dueMs, row['position'] as number)
      queue.delayed--
    }
  }

  function armTimer(): void {
    cancelTimer?.()
    cancelTimer = undefined
    if (!open) return
    const again = () => {
      if (open) cancelTimer = clock.after(1_000, armTimer)
    }
    try {
      const dueMs = sql.firstDelayed.get(1)?.['due_at'] as number | undefined
      if (dueMs === undefined) return
      // Looked at again every minute at the latest: the wall clock can be set.
      const waitMs = Math.min(60_000, Math.max(0, dueMs - clock.wallMs()))
      cancelTimer = clock.after(waitMs, () => void commits.commit(releaseDue).then(armTimer, again))
    } catch {
      // A disk that cannot be read is told to those who publish and consume.
      again()
    }
  }

  return {
    name: 'sqlite',
    supports: {
      durable: true,
      delay: true,
      depthMax: true,
      park: true,
      replies: true,
      evict: true,
      oldest: true,
      prefix: true,
      messageBytesMax: 2 ** 28,
    },
    async declare(declaration) {
      checkOpen()
      const { name, partitions, depthMax } = declaration
      const row = await commits.commit(() => {
        sql.addQueue.run(toColumn(name), partitions, depthMax)
        return sql.findQueue.get(toColumn(name)) as { queue: number; partitions: number; depth_max: number }
      })
      const found = { name, partitions: row.partitions, depthMax: row.depth_max }
      const queue = queues.get(name) ?? createFileQueue(row.queue, found)
      queues.set(name, queue)
      queue.onFull = declaration.onFull
      return differences(declaration, found)
    },
    async publish(name, messages) {
      let outcomes: PublishOutcome[]
      try {
        const queue = find(name)
        outcomes = await commits.commit(() => store(queue, messages))
      } catch (cause) {
        const type = cause instanceof CommitError && !cause.certain ? 'unknown' : 'unsent'
        return messages.map(() => ({ type, cause }))
      }
      if (messages.some((message) => message.delayMs > 0)) armTimer()
      return outcomes
    },
    async subscribe(name, partition, subscriber) {
      const line = find(name).lines[partition]
      if (!line) throw new Error(`queue "${name}" has no partition ${partition}`)
      return lines.subscribe(line, subscriber)
    },
    replies: mailboxes,
    async visitDead(name, visit) {
      const queue = find(name)
      const last = queue.lastDead
      for (let position = 0; ; ) {
        checkOpen()
        const row = sql.nextDead.get(queue.id, position, last)
        if (!row) return
        position = row['position'] as number
        const verdict = await visit(deadOf(row))
        if (verdict === 'stop') return
        if (verdict === 'keep') continue
        checkOpen()
        await commits.commit(() => {
          // Another visitor may have taken it while we waited.
          if (sql.removeDead.run(queue.id, position).changes === 0) return
          queue.dead--
          if (verdict === 'redrive') lines.append(queue.lines[row['partition'] as number]!, [redriven(messageOf(row))])
        })
      }
    },
    async stats(name) {
      const queue = find(name)
      const heads = queue.lines.flatMap((line) => {
        const cursor = line.subscriptions[0]?.cursor ?? 0
        const [row] = sql.nextMessages.all(queue.id, line.partition, cursor, 1)
        return row ? [messageOf(row).publishedAtMs] : []
      })
      return {
        waiting: queue.lines.reduce(
          (sum, { stored, subscriptions: [active] }) => sum + stored - (active?.unsettled.size ?? 0),
          0,
        ),
        delayed: queue.delayed,
        dead: queue.dead,
        oldestAtMs: heads.length > 0 ? Math.min(...heads) : undefined,
      }
    },
    async parked(name) {
      return parked.list(find(name))
    },
    async close() {
      if (!open) return
      open = false
      cancelTimer?.()
      mailboxes.loseAll(new Error('the SQLite queue was closed'))
      try {
        commits.close()
        for (const queue of queues.values()) {
          for (const line of queue.lines) lines.end(line, new Error('the SQLite queue was closed'))
        }
        // What was delivered was given back in good order; it does not count as cut short.
        db.exec('DELETE FROM headrace_delivered')
      } finally {
        // On a full disk, too: else nobody could open the file until the process ends.
        db.close()
      }
    },
  }
}

const stored: PublishOutcome = Object.freeze({ type: 'stored' })

function openFile(path: string): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path)
    // Exclusive before anything is read: then the log needs no shared memory, and a second process fails here.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    createTables(db)
    countUnfinished(db)
    return db
  } catch (cause) {
    db?.close()
    const why = cause instanceof Error ? cause.message : cause
    throw new HeadraceError('UNAVAILABLE', `the SQLite file could not be opened: ${why}`, { cause })
  }
}

function differences(wanted: QueueDeclaration, found: QueueDeclaration) {
  return (['partitions', 'depthMax'] as const).flatMap((what) =>
    found[what] === wanted[what] ? [] : [{ what, wanted: String(wanted[what]), found: String(found[what]) }],
  )
}
