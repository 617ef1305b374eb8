import type { Clock } from '@headrace/core'
import { brokenRules } from '@headrace/core/testing'
import type { Delivery, QueueMessage, Settlement, Subscriber, Subscription } from '@headrace/queue'
import { queueRules } from '@headrace/queue/conformance'
import { type MemoryQueue, memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { memorySubject } from './memory-subject.ts'

const { supports } = memoryQueue()
const failures = (create: (good: MemoryQueue, clock: Clock) => MemoryQueue) =>
  brokenRules(queueRules, {
    create: () => memorySubject((clock) => create(memoryQueue({ clock }), clock)),
    supports,
  })

/** A memory driver with some methods replaced; what is not replaced works. */
type Breaks = (good: MemoryQueue, clock: Clock) => Partial<MemoryQueue>

const mapMessages = (change: (messages: readonly QueueMessage[]) => readonly QueueMessage[]): Breaks => {
  return (good) => ({ publish: (queue, messages) => good.publish(queue, change(messages)) })
}
const mapEach = (change: (message: QueueMessage) => QueueMessage): Breaks => mapMessages((all) => all.map(change))
const mapSubscriber = (change: (subscriber: Subscriber) => Partial<Subscriber>): Breaks => {
  return (good) => ({
    subscribe: (queue, partition, subscriber) =>
      good.subscribe(queue, partition, {
        ...subscriber,
        onDelivery: (it) => subscriber.onDelivery(it),
        ...change(subscriber),
      }),
  })
}
const mapSubscription = (change: (subscription: Subscription, good: MemoryQueue) => Partial<Subscription>): Breaks => {
  return (good) => ({
    async subscribe(queue, partition, subscriber) {
      const subscription = await good.subscribe(queue, partition, subscriber)
      return { ...subscription, ...change(subscription, good) }
    },
  })
}
const mapDelivery = (change: (delivery: Delivery) => Delivery): Breaks => {
  return mapSubscriber((subscriber) => ({ onDelivery: (delivery) => subscriber.onDelivery(change(delivery)) }))
}

const broken: readonly [string, Breaks, rule: string][] = [
  [
    'forgets the queue when it is declared again',
    forgetsOnDeclare,
    'declaring again changes nothing, through any connection',
  ],
  [
    'does not compare partitions',
    (good) => ({ declare: (queue) => good.declare(queue).then(() => []) }),
    'declaring with another number of partitions names the difference',
  ],
  [
    'cuts keys at 255',
    mapEach((message) => ({ ...message, key: message.key?.slice(0, 255) })),
    'a message arrives as it was published',
  ],
  [
    'drops headers without a name',
    mapEach(({ headers: { '': _, ...headers }, ...message }) => ({ ...message, headers })),
    'a message arrives as it was published',
  ],
  [
    'turns no key into an empty one',
    mapEach((message) => ({ ...message, key: message.key ?? '' })),
    'a message arrives as it was published',
  ],
  [
    'is last in, first out',
    mapMessages((messages) => [...messages].reverse()),
    'calls of publish take effect in their order, also when they overlap',
  ],
  [
    'stores every message twice',
    mapMessages((messages) => messages.flatMap((message) => [message, message])),
    'nothing is stored twice or dropped when several connections publish at once',
  ],
  [
    'puts all into one partition',
    mapEach((message) => ({ ...message, partition: 0 })),
    'queues and partitions are kept apart',
  ],
  [
    'confirms what it cannot route',
    (good) => ({
      publish: (queue, messages) => good.publish(queue, messages).catch(() => messages.map(() => ({ type: 'stored' }))),
    }),
    'nothing is stored in a queue that does not exist, and nobody is told that it is',
  ],
  [
    'confirms what it drops when full',
    (good) => ({
      publish: async (queue, messages) => (await good.publish(queue, messages)).map(() => ({ type: 'stored' })),
    }),
    'a queue that is full refuses what does not fit, and takes messages again when there is room',
  ],
  [
    'has no bound',
    (good) => ({ declare: (queue) => good.declare({ ...queue, depthMax: 10_000 }) }),
    'a queue that is full refuses what does not fit, and takes messages again when there is room',
  ],
  [
    'ignores delays',
    mapEach((message) => ({ ...message, delayMs: 0 })),
    'a delayed message is never early, and others do not wait for it',
  ],
  [
    'delivers in the order of publishing, delayed ones too',
    delaysBehindEachOther,
    'a delayed message is never early, and others do not wait for it',
  ],
  [
    'counts the delayed as waiting',
    (good) => ({
      stats: async (queue) => {
        const it = await good.stats(queue)
        return { ...it, waiting: it.waiting + it.delayed }
      },
    }),
    'stats count what waits, what is delayed and what is dead, and know the oldest',
  ],
  [
    'knows no credit',
    mapSubscriber(() => ({ credit: 1_000 })),
    'no more than the credit is unsettled, and a settlement makes room for the next',
  ],
  ['delivers only what was there at first', deliversOnce, 'a message that arrives while someone waits is delivered'],
  [
    'settles everything up to the tag',
    mapSubscription(({ settle }) => ({
      settle: (all) =>
        settle(
          all.flatMap(({ tag, dead }) =>
            Array.from({ length: Math.min(tag, 100) }, (_, at) => ({ tag: at + 1, dead })),
          ),
        ),
    })),
    'what is settled is never delivered again; the rest comes again in its order, before younger messages',
  ],
  [
    'forgets to settle',
    mapSubscription(() => ({ settle: async () => {} })),
    'what is settled is never delivered again; the rest comes again in its order, before younger messages',
  ],
  [
    'loses what is unsettled at close',
    mapSubscription((subscription) => settlesAtClose(subscription)),
    'what is settled is never delivered again; the rest comes again in its order, before younger messages',
  ],
  [
    'keeps delivering after close',
    mapSubscription(() => ({ close: async () => {} })),
    'after close nothing is delivered',
  ],
  [
    'lets everybody in at once',
    sharesPartitions,
    'of two subscriptions to a partition one is active, and the other takes over when it ends',
  ],
  [
    'takes an unknown tag for the oldest delivery',
    mapSubscription(({ settle }) => ({
      settle: (all) => settle(all.map((it) => (it.tag > 100_000 ? { ...it, tag: 2 } : it))),
    })),
    'settling again, or a tag that was never given out, does nothing to others',
  ],
  [
    'settles a stale tag on the newest subscription',
    settlesOnNewest(),
    'a settlement that comes after the end of its subscription does not settle the redelivery',
  ],
  [
    'does not count redeliveries',
    mapDelivery((delivery) => ({ ...delivery, redeliveries: 0 })),
    'a crash loses nothing that was confirmed, and what was unsettled comes again, counted and in order',
  ],
  ['closes in silence', mapSubscriber(() => ({ onLost() {} })), 'closing the driver tells every subscription, once'],
  [
    'drops why a message died',
    mapSubscription(({ settle }) => ({
      settle: (all) => settle(all.map(({ tag, dead }) => ({ tag, dead: dead && { ...dead, error: '' } }))),
    })),
    'a dead letter is shown as it was published, with why and when it died',
  ],
  [
    'drops dead letters',
    mapSubscription(({ settle }) => ({ settle: (all) => settle(all.map(({ tag }): Settlement => ({ tag }))) })),
    'a dead letter is shown as it was published, with why and when it died',
  ],
  ['copies a dead letter and leaves it in the queue', copiesDead(), 'a dead letter has left its queue'],
  [
    'removes what the visitor keeps',
    (good) => ({
      visitDead: (queue, visit) =>
        good.visitDead(queue, async (dead) => {
          const verdict = await visit(dead)
          return verdict === 'keep' ? 'remove' : verdict
        }),
    }),
    'visiting shows the oldest first and does what the visitor says, through any connection',
  ],
  [
    'does not stop',
    (good) => ({
      visitDead: (queue, visit) =>
        good.visitDead(queue, async (dead) => {
          const verdict = await visit(dead)
          return verdict === 'stop' ? 'keep' : verdict
        }),
    }),
    'visiting shows the oldest first and does what the visitor says, through any connection',
  ],
  [
    'loses what it redrives',
    (good) => ({
      visitDead: (queue, visit) =>
        good.visitDead(queue, async (dead) => {
          const verdict = await visit(dead)
          return verdict === 'redrive' ? 'remove' : verdict
        }),
    }),
    'a redriven message is delivered again as it was, and is no dead letter any more',
  ],
  ['redrives for each visitor that asks', redrivesTwice, 'two visitors at a time redrive each dead letter once'],
  [
    'swallows the error of a visitor',
    (good) => ({ visitDead: (queue, visit) => good.visitDead(queue, visit).catch(() => {}) }),
    'a visitor that throws ends the visit, and nothing is lost',
  ],
]

describe('the conformance suite catches a driver that', () => {
  it.each(broken)('%s', async (_, breaks, rule) => {
    expect(await failures((good, clock) => ({ ...good, ...breaks(good, clock) }))).toContain(rule)
  })

  it('and every rule has a driver that it catches', () => {
    expect(queueRules.map(({ name }) => name).filter((name) => !broken.some(([, , rule]) => rule === name))).toEqual([])
  })

  it('and passes one that keeps the contract', async () => {
    expect(await failures((good) => good)).toEqual([])
  })
})

function forgetsOnDeclare(good: MemoryQueue, clock: Clock): Partial<MemoryQueue> {
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

function delaysBehindEachOther(good: MemoryQueue): Partial<MemoryQueue> {
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

function deliversOnce(good: MemoryQueue): Partial<MemoryQueue> {
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

function settlesAtClose({ settle, close }: Subscription): Partial<Subscription> {
  return {
    async close() {
      await settle(Array.from({ length: 100 }, (_, tag) => ({ tag })))
      await close()
    },
  }
}

function sharesPartitions(good: MemoryQueue): Partial<MemoryQueue> {
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
function settlesOnNewest(): Breaks {
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

function copiesDead(): Breaks {
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

function redrivesTwice(good: MemoryQueue): Partial<MemoryQueue> {
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
