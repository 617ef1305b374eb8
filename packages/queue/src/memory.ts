import { type Clock, checkNumber, cryptoRandom, type Random, systemClock } from '@headrace/core'
import type {
  DeadMessage,
  Delivery,
  PublishOutcome,
  QueueDeclaration,
  QueueDriver,
  QueueMessage,
  Subscriber,
} from './driver.ts'
import { createFifo, type Fifo } from './fifo.ts'
import { createHeld, type Held } from './held.ts'

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

  function store(queue: MemoryState, message: QueueMessage): void {
    const line = queue.lines[message.partition]!
    const entry: Entry = { message, redeliveries: 0, order: queue.nextOrder++, gone: false }
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
      if (active.unsettled.size >= active.subscriber.credit) return
      const entry = next(line)
      if (!entry) return
      hand(active, entry)
      if (chance(duplicate) && active === line.subscriptions[0]) hand(active, entry)
    }
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
    line.waiting.unshift([...back].filter((entry) => !entry.gone).sort((a, b) => a.order - b.order))
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
    supports: { durable: false, delay: true, depthMax: true, oldest: true, messageBytesMax: 2 ** 28 },
    async declare(declaration) {
      online()
      const existing = queues.get(declaration.name)
      if (!existing) queues.set(declaration.name, createState(declaration))
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
        if (queue.depth >= queue.declaration.depthMax) return { type: 'full' }
        store(queue, message)
        return chance(loseConfirm) ? { type: 'unknown', cause: new Error('injected: confirmation lost') } : stored
      })
    },
    async subscribe(name, partition, subscriber) {
      online()
      const queue = find(name)
      const line = queue.lines[partition]
      if (!line) throw new Error(`queue "${name}" has no partition ${partition}`)
      const active: Active = { subscriber, unsettled: createHeld() }
      line.subscriptions.push(active)
      wake(line)
      return {
        async settle(settlements) {
          for (const { tag, dead } of settlements) {
            const entry = active.unsettled.take(tag)
            // Its twin, when a fault has delivered it twice, has settled it before.
            if (!entry || entry.gone) continue
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
    async visitDead(name, visit) {
      const queue = find(name)
      for (const dead of [...queue.dead]) {
        const verdict = await visit(dead)
        if (verdict === 'stop') return
        // Another visitor may have taken it while we waited.
        if (verdict === 'keep' || !queue.dead.delete(dead)) continue
        queue.depth--
        if (verdict === 'redrive') store(queue, { ...dead.message, delayMs: 0 })
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
    async close() {
      for (const queue of queues.values()) {
        for (const cancel of queue.delayed.values()) cancel()
        endAll(queue, new Error('the memory queue was closed'))
      }
      queues.clear()
      offlineUntilMs = Number.POSITIVE_INFINITY
    },
    disconnect(forMs = 0) {
      checkNumber('forMs', forMs, { min: 0 })
      offlineUntilMs = clock.nowMs() + forMs
      for (const queue of queues.values()) endAll(queue, new Error('injected: disconnected'))
    },
    crashConsumers() {
      for (const queue of queues.values()) endAll(queue, undefined)
    },
  }
}

interface MemoryState {
  readonly declaration: QueueDeclaration
  readonly lines: readonly Line[]
  readonly delayed: Map<Entry, () => void>
  readonly dead: Set<DeadMessage>
  /** All that is stored: waiting, delivered, delayed or dead. */
  depth: number
  nextOrder: number
}

interface Line {
  readonly waiting: Fifo<Entry>
  /** The first is active. */
  readonly subscriptions: Active[]
  scheduled: boolean
}

interface Active {
  readonly subscriber: Subscriber
  readonly unsettled: Held<Entry>
}

interface Entry {
  readonly message: Delivery['message']
  redeliveries: number
  order: number
  gone: boolean
}

const stored: PublishOutcome = Object.freeze({ type: 'stored' })

function createState(declaration: QueueDeclaration): MemoryState {
  const lines = Array.from({ length: declaration.partitions }, () => ({
    waiting: createFifo<Entry>(),
    subscriptions: [],
    scheduled: false,
  }))
  return { declaration, lines, delayed: new Map(), dead: new Set(), depth: 0, nextOrder: 0 }
}
