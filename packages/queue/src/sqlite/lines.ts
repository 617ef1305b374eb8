import type { DeadInfo, Settlement, Subscriber, Subscription } from '../driver.ts'
import { commandHeader } from '../own-headers.ts'
import type { GroupCommit } from './group-commit.ts'
import { isParkedTag, type ParkedRows } from './parked.ts'
import type { Active, Line } from './state.ts'
import { columnsOf, messageOf, type Statements, type StoredMessage } from './tables.ts'
import { toColumn } from './text.ts'

export interface Lines {
  /** Within a transaction: puts messages at the end of the line. */
  append(line: Line, messages: readonly StoredMessage[]): void
  /**
   * Within a transaction: moves the oldest message that nobody holds to the dead letters.
   * @returns false where there is none, or it is a command.
   */
  bury(line: Line, because: DeadInfo): boolean
  subscribe(line: Line, subscriber: Subscriber): Subscription
  /** After a transaction: delivers what there is to those who wait. */
  deliverAll(): void
  /** Ends every subscription of the line; nothing of it is delivered any more. */
  end(line: Line, cause: unknown): void
}

const readMax = 500

/** The order of the messages of a partition, and their way to its active subscription. */
export function createLines(sql: Statements, parked: ParkedRows, commits: () => GroupCommit): Lines {
  const awake = new Set<Line>()

  function mark(line: Line, position: number): void {
    sql.mark.run(line.queue.id, line.partition, position)
    line.marked = position
  }

  const room = ({ subscriber, unsettled }: Active) => subscriber.credit - unsettled.size

  function deliver(line: Line): void {
    const [active] = line.subscriptions
    if (!active || line.marking || room(active) <= 0 || active.cursor >= line.last) return
    if (!commits().sure) {
      // By a wrong mark it would be delivered without being counted. The next transaction that works goes on here.
      awake.add(line)
      return
    }
    let rows: ReturnType<Statements['nextMessages']['all']>
    try {
      if (!active.told) tell(line, active)
      rows = sql.nextMessages.all(line.queue.id, line.partition, active.cursor, Math.min(room(active), readMax))
    } catch (cause) {
      detach(line, active)
      active.subscriber.onLost(cause)
      return
    }
    const until = rows.at(-1)?.['position'] as number | undefined
    if (until === undefined) return
    // Whoever is killed by a message must find it counted afterwards, so the mark is on the disk before the delivery.
    if (until > line.marked) {
      line.marking = true
      const marked = commits().commit(
        () => {
          // Closed in the same turn, it gets nothing that a crash could cut short.
          if (active === line.subscriptions[0]) mark(line, until)
        },
        () => {
          line.marking = false
          awake.add(line)
        },
      )
      // A disk that fails is told to those who publish and settle; the next transaction that works goes on here.
      marked.catch(() => {
        line.marking = false
        awake.add(line)
      })
      return
    }
    for (const row of rows) {
      const tag = row['position'] as number
      active.cursor = tag
      active.unsettled.add(tag)
      active.subscriber.onDelivery({ tag, message: messageOf(row), redeliveries: row['redeliveries'] as number })
      if (active !== line.subscriptions[0]) return
    }
    if (rows.length === readMax) setImmediate(() => deliver(line))
  }

  function tell(line: Line, active: Active): void {
    const keys = parked.keys(line)
    active.told = true
    if (keys.length > 0) active.subscriber.onParked?.(keys)
  }

  function moveToDead({ queue, partition }: Line, position: number, dead: DeadInfo): void {
    const { reason, attempts, deadAtMs } = dead
    const error = toColumn(dead.error)
    const moved = sql.moveToDead.run(++queue.lastDead, reason, error, attempts, deadAtMs, queue.id, partition, position)
    queue.dead += Number(moved.changes)
  }

  function settle(line: Line, active: Active, settlement: Settlement): void {
    const { queue, partition } = line
    const { tag, dead, park } = settlement
    if (active.unparking.has(tag)) parked.settle(line, tag, settlement)
    else if (!active.unsettled.has(tag)) return
    else if (park) parked.park(line, tag, park)
    else {
      if (dead) moveToDead(line, tag, dead)
      line.stored -= Number(sql.removeMessage.run(queue.id, partition, tag).changes)
    }
  }

  function detach(line: Line, active: Active): boolean {
    const at = line.subscriptions.indexOf(active)
    if (at === -1) return false
    line.subscriptions.splice(at, 1)
    active.unsettled.clear()
    active.unparking.clear()
    return true
  }

  return {
    append(line, messages) {
      for (const message of messages) {
        sql.addMessage.run(line.queue.id, line.partition, ++line.last, ...columnsOf(message))
        line.stored++
      }
      const [active] = line.subscriptions
      // They will be delivered as soon as they are on the disk, and are marked on the way, without a transaction of its own.
      if (active && line.last - active.cursor <= room(active)) mark(line, line.last)
      awake.add(line)
    },
    bury(line, because) {
      const { queue, partition } = line
      const [oldest] = sql.nextMessages.all(queue.id, partition, line.subscriptions[0]?.cursor ?? 0, 1)
      if (!oldest || commandHeader in messageOf(oldest).headers) return false
      const position = oldest['position'] as number
      moveToDead(line, position, because)
      line.stored -= Number(sql.removeMessage.run(queue.id, partition, position).changes)
      return true
    },
    subscribe(line, subscriber) {
      const active: Active = { subscriber, cursor: 0, unsettled: new Set(), unparking: new Set(), told: false }
      line.subscriptions.push(active)
      setImmediate(() => deliver(line))
      return {
        settle: (settlements) =>
          commits().commit(
            () => {
              for (const settlement of settlements) settle(line, active, settlement)
            },
            () => {
              for (const { tag } of settlements) (isParkedTag(tag) ? active.unparking : active.unsettled).delete(tag)
              awake.add(line)
            },
          ),
        async unpark(key, max) {
          if (active !== line.subscriptions[0]) throw new Error('the subscription is not active')
          const deliveries = parked.oldest(line, key, max)
          for (const { tag } of deliveries) active.unparking.add(tag)
          return deliveries
        },
        async close() {
          try {
            // What it gives back was not cut short by a crash; what the next one has by now may be.
            if (detach(line, active) && line.marked > 0) {
              await commits().commit(() => mark(line, line.subscriptions[0]?.cursor ?? 0))
            }
          } finally {
            deliver(line)
          }
        },
      }
    },
    deliverAll() {
      for (const line of awake) {
        awake.delete(line)
        deliver(line)
      }
    },
    end(line, cause) {
      for (const active of [...line.subscriptions]) {
        detach(line, active)
        active.subscriber.onLost(cause)
      }
    },
  }
}
