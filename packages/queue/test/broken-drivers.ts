import type { Clock } from '@headrace/core'
import { brokenRules } from '@headrace/core/testing'
import type { DeadMessage, DeadVerdict, Delivery, QueueMessage, Subscriber, Subscription } from '@headrace/queue'
import { queueRules } from '@headrace/queue/conformance'
import { type MemoryQueue, memoryQueue } from '@headrace/queue/memory'
import { memorySubject } from './memory-subject.ts'

const { supports } = memoryQueue()
/** The rules that a driver breaks. */
export const failures = (
  create: (good: MemoryQueue, clock: Clock) => MemoryQueue,
  rules: typeof queueRules = queueRules,
): Promise<string[]> =>
  brokenRules(rules, {
    create: () => memorySubject((clock) => create(memoryQueue({ clock }), clock)),
    supports,
  })

/** A memory driver with some methods replaced; what is not replaced works. */
export type Breaks = (good: MemoryQueue, clock: Clock) => Partial<MemoryQueue>

export const mapMessages = (change: (messages: readonly QueueMessage[]) => readonly QueueMessage[]): Breaks => {
  return (good) => ({ publish: (queue, messages) => good.publish(queue, change(messages)) })
}
export const mapEach = (change: (message: QueueMessage) => QueueMessage): Breaks =>
  mapMessages((all) => all.map(change))
export const mapSubscriber = (change: (subscriber: Subscriber) => Partial<Subscriber>): Breaks => {
  return (good) => ({
    subscribe: (queue, partition, subscriber) =>
      good.subscribe(queue, partition, {
        ...subscriber,
        onDelivery: (it) => subscriber.onDelivery(it),
        ...change(subscriber),
      }),
  })
}
export const mapSubscription = (
  change: (subscription: Subscription, good: MemoryQueue) => Partial<Subscription>,
): Breaks => {
  return (good) => ({
    async subscribe(queue, partition, subscriber) {
      const subscription = await good.subscribe(queue, partition, subscriber)
      return { ...subscription, ...change(subscription, good) }
    },
  })
}
export const mapDelivery = (change: (delivery: Delivery) => Delivery): Breaks => {
  return mapSubscriber((subscriber) => ({ onDelivery: (delivery) => subscriber.onDelivery(change(delivery)) }))
}

export function forgetsOnDeclare(good: MemoryQueue, clock: Clock): Partial<MemoryQueue> {
  let current = good
  const forward = { publish: 0, subscribe: 0, visitDead: 0, stats: 0, close: 0 }
  const methods = Object.keys(forward) as (keyof typeof forward)[]
  return {
    ...Object.fromEntries(
      methods.map((name) => [name, (...args: never[]) => (current[name] as (...args: never[]) => unknown)(...args)]),
    ),
    async declare(queue) {
      current = memoryQueue({ clock })
      return await current.declare(queue)
    },
  }
}

export function delaysBehindEachOther(good: MemoryQueue): Partial<MemoryQueue> {
  let longest = 0
  return {
    publish: (queue, messages) =>
      good.publish(
        queue,
        messages.map((message) => {
          longest = Math.max(longest, message.delayMs)
          return { ...message, delayMs: longest }
        }),
      ),
  }
}

export function deliversOnce(good: MemoryQueue): Partial<MemoryQueue> {
  return {
    subscribe: (queue, partition, subscriber) => {
      let delivered = 0
      return good.subscribe(queue, partition, {
        ...subscriber,
        onDelivery: (delivery) => {
          if (delivered++ === 0) subscriber.onDelivery(delivery)
        },
      })
    },
  }
}

export function settlesAtClose({ settle, close }: Subscription): Partial<Subscription> {
  return {
    async close() {
      await settle(Array.from({ length: 100 }, (_, tag) => ({ tag })))
      await close()
    },
  }
}

export function sharesPartitions(good: MemoryQueue): Partial<MemoryQueue> {
  const others = new Map<string, Subscriber[]>()
  return {
    async subscribe(queue, partition, subscriber) {
      const all = others.get(`${queue} ${partition}`) ?? []
      others.set(`${queue} ${partition}`, [...all, subscriber])
      if (all.length > 0) return { settle: async () => {}, close: async () => {} }
      return await good.subscribe(queue, partition, {
        ...subscriber,
        onDelivery(delivery) {
          for (const each of others.get(`${queue} ${partition}`)!) each.onDelivery(delivery)
        },
      })
    },
  }
}

/** What rabbitmq-client's consumer does when a channel is replaced (its own test is in the research). */
export function settlesOnNewest(): Breaks {
  return (good) => {
    const newest = new Map<string, Subscription>()
    return {
      async subscribe(queue, partition, subscriber) {
        const subscription = await good.subscribe(queue, partition, subscriber)
        newest.set(`${queue} ${partition}`, subscription)
        return { ...subscription, settle: (all) => newest.get(`${queue} ${partition}`)!.settle(all) }
      },
    }
  }
}

export function copiesDead(): Breaks {
  return (good) => ({
    async subscribe(queue, partition, subscriber) {
      const held = new Map<number, Delivery>()
      const subscription = await good.subscribe(queue, partition, {
        ...subscriber,
        onDelivery(delivery) {
          held.set(delivery.tag, delivery)
          subscriber.onDelivery(delivery)
        },
      })
      return {
        ...subscription,
        async settle(all) {
          await subscription.settle(all)
          const copies = all.flatMap(({ tag, dead }) => (dead ? { ...held.get(tag)!.message, delayMs: 0 } : []))
          await good.publish(queue, copies)
        },
      }
    },
  })
}

export function redrivesAsItWas(good: MemoryQueue): Partial<MemoryQueue> {
  return {
    visitDead: (queue, visit) =>
      good.visitDead(queue, async (dead) => {
        const verdict = await visit(dead)
        if (verdict !== 'redrive' || !('headrace-expires-at' in dead.message.headers)) return verdict
        await good.publish(queue, [{ ...dead.message, delayMs: 0 }])
        return 'remove'
      }),
  }
}

export function redrivesTwice(good: MemoryQueue): Partial<MemoryQueue> {
  return {
    visitDead: (queue, visit) =>
      good.visitDead(queue, async (dead) => {
        const verdict = await visit(dead)
        if (verdict !== 'redrive') return verdict
        await good.publish(queue, [{ ...dead.message, delayMs: 0 }])
        return 'remove'
      }),
  }
}

/** What a quorum queue does with deliveries that are given back while others wait that were given back before. */
export function givesBackBehind(good: MemoryQueue): Partial<MemoryQueue> {
  let behind: string[] = []
  return {
    async subscribe(queue, partition, subscriber) {
      const held: Delivery[] = []
      const subscription = await good.subscribe(queue, partition, {
        ...subscriber,
        onDelivery: (delivery) => held.push(delivery),
      })
      const place = ({ message: { id } }: Delivery) => behind.indexOf(id)
      await new Promise((resolve) => setImmediate(resolve))
      held.sort((a, b) => place(a) - place(b))
      for (const delivery of held) subscriber.onDelivery(delivery)
      return {
        ...subscription,
        async close() {
          const ids = held.map(({ message: { id } }) => id)
          behind = [...behind.filter((id) => !ids.includes(id)), ...ids]
          await subscription.close()
        },
      }
    },
  }
}

/** What a quorum queue does with dead letters that are given back while others of them wait. */
export function showsThenMoves(good: MemoryQueue): Partial<MemoryQueue> {
  let moved: string[] = []
  return {
    async visitDead(queue, visit) {
      const all: DeadMessage[] = []
      await good.visitDead(queue, (letter) => {
        all.push(letter)
        return 'keep'
      })
      const place = ({ message: { id } }: DeadMessage) => moved.indexOf(id)
      all.sort((a, b) => place(a) - place(b))
      const verdicts = new Map<DeadMessage, DeadVerdict>()
      for (const letter of all) {
        const verdict = await visit(letter)
        verdicts.set(letter, verdict)
        moved = [...moved.filter((id) => id !== letter.message.id), letter.message.id]
        if (verdict === 'stop') break
      }
      await good.visitDead(queue, (letter) => {
        const verdict = verdicts.get(letter)
        return verdict === 'redrive' || verdict === 'remove' ? verdict : 'keep'
      })
    },
  }
}
