import { type Clock, checkNumber, cryptoRandom, type Random, systemClock } from '@headrace/core'
import { overflowed } from './consuming/failures.ts'
import { createHeld } from './consuming/held.ts'
import type { PublishOutcome, QueueDriver, QueueMessage } from './driver.ts'
import { type Active, createState, type Entry, type Line, type MemoryState } from './memory/state.ts'
import { commandHeader, commandsMax, redriven } from './own-headers.ts'
import { createMailboxes } from './requests/mailboxes.ts'

export interface MemoryQueueOptions {
  /** Time of delays; a manual clock makes hours pass in a test. */
  readonly clock?: Clock
  /** Decides which messages meet a fault. */
  readonly random?: Random
  readonly faults?: MemoryFaults
}

/** Shares from 0 to 1 of the messages that something allowed, but unpleasant, happens to. */
export interface MemoryFaults {
  /** Delivered twice in a row. */
  readonly duplicate?: number
  /** Overtaken by a message of another key. */
  readonly reorder?: number
  /** Stored, but the publisher is told that the outcome is unknown. */
  readonly loseConfirm?: number
}

export interface MemoryQueue extends QueueDriver {
  /** Every subscription ends and its unsettled messages come again; for `forMs` nothing can be published or subscribed. */
  disconnect(forMs?: number): void
  /** All consumers are gone as when their process is killed: they learn nothing, and what they settle no longer counts. */
  crashConsumers(): void
}

/** Queues within one process: the reference for other drivers, and the one to test handlers with. Nothing survives the process. */
export function memoryQueue(options: MemoryQueueOptions = {}): MemoryQueue {
  const { clock = systemClock, random = cryptoRandom, faults = {} } = options
  const { duplicate = 0, reorder = 0, loseConfirm = 0 } = faults
  for (const [name, share] of Object.entries({ duplicate, reorder, loseConfirm })) {
    checkNumber(`faults.${name}`, share, { min: 0, max: 1 })
  }
  const queues = new Map<string, MemoryState>()
  let offlineUntilMs = Number.NEGATIVE_INFINITY

  const chance = (share: number) => share > 0 && random.next() < share
  const find = (name: string): MemoryState => {
    const queue = queues.get(name)
    if (!queue) throw new Error(`queue "${name}" is not declared`)
    return queue
  }
  const online = () => {
    if (clock.nowMs() < offlineUntilMs) throw new Error('the memory queue is disconnected')
  }
  const mailboxes = createMailboxes(online)

  function store(queue: MemoryState, message: QueueMessage): void {
    const line = queue.lines[message.partition]!
    const entry: Entry = { message, redeliveries: 0, order: queue.nextOrder++, gone: false, parked: false }
    queue.depth++
    if (message.delayMs === 0) {
      enqueue(line, entry)
      return
    }
    const cancel = clock.after(message.delayMs, () => {
      queue.delayed.delete(entry)
      entry.order = queue.nextOrder++
      enqueue(line, entry)
    })
    queue.delayed.set(entry, cancel)
  }

  /** An operator's command fits in, so that what is full of parked messages can be unparked. */
  const isFull = ({ depth, dead, onFull, declaration: { depthMax } }: MemoryState, { headers }: QueueMessage) =>
    depth - (onFull === 'dead-letter' ? dead.size : 0) >= depthMax + (commandHeader in headers ? commandsMax : 0)

  function evict({ onFull, dead, declaration, lines }: MemoryState, partition: number): boolean {
    const { waiting } = lines[partition]!
    const oldest = waiting.peek(0)
    if (onFull !== 'dead-letter' || dead.size >= declaration.depthMax) return false
    if (!oldest || commandHeader in oldest.message.headers) return false
    waiting.shift()
    dead.add({ message: oldest.message, ...overflowed(oldest.redeliveries, clock.wallMs()) })
    return true
  }

  function enqueue(line: Line, entry: Entry): void {
    line.waiting.push(entry)
    wake(line)
  }

  function wake(line: Line): void {
    if (line.scheduled) return
    line.scheduled = true
    queueMicrotask(() => {
      line.scheduled = false
      deliver(line)
    })
  }

  function deliver(line: Line): void {
    for (let active = line.subscriptions[0]; active; active = line.subscriptions[0]) {
      if (active.unsettled.size - active.unparking >= active.subscriber.credit) return
      if (!active.told) tell(line, active)
      const entry = next(line)
      if (!entry) return
      hand(active, entry)
      if (chance(duplicate) && active === line.subscriptions[0]) hand(active, entry)
    }
  }

  function tell(line: Line, active: Active): void {
    active.told = true
    const keys = line.parked.keys()
    if (keys.length > 0) active.subscriber.onParked?.(keys)
  }

  function next(line: Line): Entry | undefined {
    if (!chance(reorder)) return line.waiting.shift()
    const first = line.waiting.peek(0)
    if (!first) return undefined
    // The second may pass when it has another key: nothing else is between the two.
    const second = line.waiting.peek(1)
    if (!second || second.message.key === first.message.key) return line.waiting.shift()
    line.waiting.shift()
    line.waiting.shift()
    line.waiting.unshift([first])
    return second
  }

  function hand(active: Active, entry: Entry): void {
    const tag = active.unsettled.add(entry)
    active.subscriber.onDelivery({ tag, message: entry.message, redeliveries: entry.redeliveries })
  }

  /** Ends a subscription; what it held goes back to where it was. */
  function end(line: Line, active: Active, counted: boolean): void {
    const at = line.subscriptions.indexOf(active)
    if (at === -1) return
    line.subscriptions.splice(at, 1)
    const back = new Set(active.unsettled.clear())
    for (const entry of back) if (counted) entry.redeliveries++
    line.waiting.unshift([...back].filter((entry) => !entry.gone && !entry.parked).sort((a, b) => a.order - b.order))
    wake(line)
  }

  function endAll(queue: MemoryState, told: unknown): void {
    for (const line of queue.lines) {
      for (const active of [...line.subscriptions]) {
        end(line, active, true)
        if (told) active.subscriber.onLost(told)
      }
    }
  }

  return {
    name: 'memory',
    supports: {
      durable: false,
      delay: true,
      depthMax: true,
      park: true,
      evict: true,
      replies: true,
      oldest: true,
      prefix: true,
      messageBytesMax: 2 ** 28,
    },
    async declare(declaration) {
      online()
      const existing = queues.get(declaration.name)
      const queue = existing ?? createState(declaration)
      queues.set(declaration.name, queue)
      queue.onFull = declaration.onFull
      const found = existing?.declaration ?? declaration
      return (['partitions', 'depthMax'] as const).flatMap((what) =>
        found[what] === declaration[what]
          ? []
          : [{ what, wanted: String(declaration[what]), found: String(found[what]) }],
      )
    },
    async publish(name, messages) {
      // Before anything is looked up: after `close` nothing is declared, and to throw would say that it may be stored.
      if (clock.nowMs() < offlineUntilMs) {
        return messages.map(() => ({ type: 'unsent', cause: new Error('the memory queue is disconnected') }))
      }
      const queue = find(name)
      return messages.map((message): PublishOutcome => {
        if (isFull(queue, message) && !evict(queue, message.partition)) return { type: 'full' }
        store(queue, message)
        return chance(loseConfirm) ? { type: 'unknown', cause: new Error('injected: confirmation lost') } : stored
      })
    },
    async subscribe(name, partition, subscriber) {
      online()
      const queue = find(name)
      const line = queue.lines[partition]
      if (!line) throw new Error(`queue "${name}" has no partition ${partition}`)
      const active: Active = { subscriber, unsettled: createHeld(), unparking: 0, told: false }
      line.subscriptions.push(active)
      wake(line)
      // Of parked messages that this subscription tries again.
      const tags = new Set<number>()
      return {
        async unpark(key, max) {
          if (active !== line.subscriptions[0]) throw new Error('the subscription is not active')
          return line.parked.oldest(key, max).map(({ message, redeliveries }, at, entries) => {
            const tag = active.unsettled.add(entries[at]!)
            tags.add(tag)
            active.unparking++
            return { tag, message, redeliveries }
          })
        },
        async settle(settlements) {
          for (const { tag, dead, park } of settlements) {
            const entry = active.unsettled.take(tag)
            if (entry?.parked && tags.delete(tag)) active.unparking--
            // Its twin, when a fault has delivered it twice, has settled it before, or parked it.
            else if (!entry || entry.gone || entry.parked) continue
            if (park) {
              line.parked.park(entry, park)
              continue
            }
            if (entry.parked) line.parked.remove(entry)
            entry.gone = true
            if (dead) queue.dead.add({ ...dead, message: entry.message })
            else queue.depth--
          }
          wake(line)
        },
        async close() {
          end(line, active, false)
        },
      }
    },
    replies: mailboxes,
    async visitDead(name, visit) {
      const queue = find(name)
      for (const dead of [...queue.dead]) {
        const verdict = await visit(dead)
        if (verdict === 'stop') return
        // Another visitor may have taken it while we waited.
        if (verdict === 'keep' || !queue.dead.delete(dead)) continue
        queue.depth--
        if (verdict === 'redrive') store(queue, { ...redriven(dead.message), delayMs: 0 })
      }
    },
    async stats(name) {
      const queue = find(name)
      const heads = queue.lines.flatMap((line) => line.waiting.peek(0)?.message.publishedAtMs ?? [])
      return {
        waiting: queue.lines.reduce((sum, line) => sum + line.waiting.size, 0),
        delayed: queue.delayed.size,
        dead: queue.dead.size,
        oldestAtMs: heads.length > 0 ? Math.min(...heads) : undefined,
      }
    },
    async parked(name) {
      return find(name).lines.flatMap((line, partition) => line.parked.list(partition))
    },
    async close() {
      for (const queue of queues.values()) {
        for (const cancel of queue.delayed.values()) cancel()
        endAll(queue, new Error('the memory queue was closed'))
      }
      queues.clear()
      mailboxes.loseAll(new Error('the memory queue was closed'))
      offlineUntilMs = Number.POSITIVE_INFINITY
    },
    disconnect(forMs = 0) {
      checkNumber('forMs', forMs, { min: 0 })
      offlineUntilMs = clock.nowMs() + forMs
      for (const queue of queues.values()) endAll(queue, new Error('injected: disconnected'))
      mailboxes.loseAll(new Error('injected: disconnected'))
    },
    crashConsumers() {
      for (const queue of queues.values()) endAll(queue, undefined)
    },
  }
}

const stored: PublishOutcome = Object.freeze({ type: 'stored' })
