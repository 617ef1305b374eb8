import type { DatabaseSync } from 'node:sqlite'
import type { QueueDeclaration, Subscriber } from '../driver.ts'
import { fromColumn } from './text.ts'

/** What is known in memory of a queue in the file: sums, and who consumes. The messages stay in the file. */
export interface FileQueue {
  readonly id: number
  readonly declaration: QueueDeclaration
  readonly lines: readonly Line[]
  delayed: number
  dead: number
  lastDead: number
  parked: number
  lastParked: number
  onFull: QueueDeclaration['onFull']
}

/** One partition. */
export interface Line {
  readonly queue: FileQueue
  readonly partition: number
  /** The position of the youngest message, or of one that was. */
  last: number
  stored: number
  /** Up to here the file says "delivered", for the case that the process ends now. */
  marked: number
  marking: boolean
  /** The first is active. */
  readonly subscriptions: Active[]
}

export interface Active {
  readonly subscriber: Subscriber
  /** The position of the youngest message that was delivered. */
  cursor: number
  readonly unsettled: Set<number>
  /** Those that are parked and tried again. */
  readonly unparking: Set<number>
  /** It knows which keys are parked. */
  told: boolean
}

export function createFileQueue(id: number, declaration: QueueDeclaration): FileQueue {
  const counts = { delayed: 0, dead: 0, lastDead: 0, parked: 0, lastParked: 0 }
  const queue: FileQueue = { id, declaration, lines: [], ...counts, onFull: undefined }
  const lines = queue.lines as Line[]
  for (let partition = 0; partition < declaration.partitions; partition++) {
    lines.push({ queue, partition, last: 0, stored: 0, marked: 0, marking: false, subscriptions: [] })
  }
  return queue
}

export const sizeOf = ({ lines, delayed, dead, parked }: FileQueue): number =>
  lines.reduce((sum, line) => sum + line.stored, delayed + dead + parked)

/** Reads the sums from the file: at the start, and after a transaction that failed. */
export function readSums(db: DatabaseSync, queues: Map<string, FileQueue>): void {
  const rows = db.prepare('SELECT queue, name, partitions, depth_max FROM headrace_queues').all() as {
    queue: number
    name: string
    partitions: number
    depth_max: number
  }[]
  const byId = new Map<number, FileQueue>()
  for (const { queue: id, name: column, partitions, depth_max: depthMax } of rows) {
    const name = fromColumn(column)
    const queue = queues.get(name) ?? createFileQueue(id, { name, partitions, depthMax })
    queues.set(name, queue)
    byId.set(id, queue)
    queue.delayed = queue.dead = queue.parked = 0
    for (const line of queue.lines) line.stored = line.marked = 0
  }
  const sums = <Row>(query: string, apply: (queue: FileQueue, row: Row) => void) => {
    for (const row of db.prepare(query).all()) apply(byId.get(row['queue'] as number)!, row as Row)
  }
  sums<{ partition: number; stored: number; last: number }>(
    'SELECT queue, partition, count(*) AS stored, max(position) AS last FROM headrace_messages GROUP BY queue, partition',
    ({ lines }, { partition, stored, last }) => {
      const line = lines[partition]!
      line.stored = stored
      // Never lower than before: the cursor of a subscription may be there.
      line.last = Math.max(line.last, last)
    },
  )
  sums<{ partition: number; position: number }>('SELECT * FROM headrace_delivered', ({ lines }, row) => {
    lines[row.partition]!.marked = row.position
  })
  sums<{ delayed: number }>('SELECT queue, count(*) AS delayed FROM headrace_delayed GROUP BY queue', (queue, row) => {
    queue.delayed = row.delayed
  })
  sums<{ dead: number; last: number }>(
    'SELECT queue, count(*) AS dead, max(position) AS last FROM headrace_dead GROUP BY queue',
    (queue, row) => {
      queue.dead = row.dead
      queue.lastDead = Math.max(queue.lastDead, row.last)
    },
  )
  sums<{ parked: number; last: number }>(
    'SELECT queue, count(*) AS parked, max(position) AS last FROM headrace_parked GROUP BY queue',
    (queue, row) => {
      queue.parked = row.parked
      queue.lastParked = Math.max(queue.lastParked, row.last)
    },
  )
}
