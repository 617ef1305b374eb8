import type { Delivery, QueueDriver, QueueMessage, Subscriber } from '@headrace/queue'
import { describe, expect, it } from 'vitest'
import { type ChaosOptions, chaos } from './chaos.ts'
import { type HistoryEvent, violations } from './history.ts'

const publishes =
  (change: (message: QueueMessage) => QueueMessage | undefined) =>
  (good: QueueDriver): QueueDriver => ({
    ...good,
    async publish(queue, messages) {
      const changed = messages.map(change)
      const outcomes = [
        ...(await good.publish(
          queue,
          changed.filter((message) => message !== undefined),
        )),
      ]
      return changed.map((message) => (message ? outcomes.shift()! : { type: 'stored' }))
    },
  })

const delivers =
  (change: (subscriber: Subscriber) => (delivery: Delivery) => void) =>
  (good: QueueDriver): QueueDriver => ({
    ...good,
    subscribe: (queue, partition, subscriber) =>
      good.subscribe(queue, partition, {
        ...subscriber,
        onLost: (cause) => subscriber.onLost(cause),
        onDelivery: change(subscriber),
      }),
  })

/** Has a message wait until the next of its key has passed it. */
const swaps = delivers(({ onDelivery }) => {
  let held: Delivery | undefined
  return (delivery) => {
    if (delivery.message.id === 'k3/5') {
      held = delivery
      return
    }
    onDelivery(delivery)
    if (held && delivery.message.key === 'k3') {
      onDelivery(held)
      held = undefined
    }
  }
})

/** Never hears that a message is done. */
function dropsAcknowledgement(good: QueueDriver): QueueDriver {
  return {
    ...good,
    async subscribe(queue, partition, subscriber) {
      const tags = new Set<number>()
      const subscription = await good.subscribe(queue, partition, {
        ...subscriber,
        onLost: (cause) => subscriber.onLost(cause),
        onDelivery(delivery) {
          if (delivery.message.id === 'k3/5') tags.add(delivery.tag)
          subscriber.onDelivery(delivery)
        },
      })
      return { ...subscription, settle: (all) => subscription.settle(all.filter(({ tag }) => !tags.has(tag))) }
    },
  }
}

const invents = delivers(({ onDelivery }) => (delivery) => {
  onDelivery(delivery)
  if (delivery.message.id === 'k3/5') {
    onDelivery({ ...delivery, tag: 1e9, message: { ...delivery.message, id: 'k99/1', key: 'k99' } })
  }
})

const broken: readonly [string, Omit<ChaosOptions, 'seed'>, found: RegExp][] = [
  ['loses a message', { wrap: publishes((it) => (it.id === 'k3/5' ? undefined : it)) }, /^lost: k3\/5$/],
  ['swaps two messages of a key', { wrap: swaps }, /^handled out of order: k3\/5$/],
  ['drops an acknowledgement', { wrap: dropsAcknowledgement }, /^1 left when all was over$/],
  ['delivers what nobody has published', { wrap: invents }, /^never published: k99\/1$/],
  [
    'forgets the keys',
    { wrap: publishes((it) => ({ ...it, key: it.id })) },
    /^(two handlers of one key at once|handled out of order): k/,
  ],
  ['has an inbox that knows no duplicate after the watermark', { forgetful: true }, /^an effect twice: k/],
]

describe('hazard 37: the checker of histories sees a run that', () => {
  // Both kinds of consumers.
  it.each(broken.flatMap((each) => [0, 1].map((seed) => [...each, seed] as const)))(
    '%s',
    async (_, options, found, seed) => {
      expect(violations((await chaos({ seed, ...options })).history)).toContainEqual(expect.stringMatching(found))
    },
  )
})

describe('hazard 37: the checker of histories', () => {
  const step = (key: string, sequence: number) => ({ key, sequence })
  const good: readonly HistoryEvent[] = [1, 2, 3].flatMap((sequence): HistoryEvent[] => [
    { type: 'accepted', ...step('a', sequence) },
    { type: 'begun', process: 'p', ...step('a', sequence) },
    { type: 'effect', ...step('a', sequence) },
    { type: 'handled', process: 'p', ...step('a', sequence) },
  ])
  const without = (at: number) => good.toSpliced(at, 1)

  it('has nothing to say of a good one', () => {
    expect(violations(good)).toEqual([])
    expect(violations([...good, { type: 'drained', left: 0 }])).toEqual([])
  })

  it('lets a message be handled again, be of an unknown outcome, and be late when it was given up', () => {
    expect(violations([...good, ...good.filter(({ type }) => type === 'begun' || type === 'handled')])).toEqual([])
    expect(violations([{ type: 'unknown', ...step('b', 1) }])).toEqual([])
    const late: HistoryEvent[] = [
      { type: 'accepted', ...step('a', 0) },
      { type: 'dead', ...step('a', 0) },
      ...good,
      { type: 'effect', ...step('a', 0) },
      { type: 'handled', process: 'p', ...step('a', 0) },
    ]
    expect(violations(late)).toEqual([])
  })

  it.each<[string, readonly HistoryEvent[], readonly string[]]>([
    ['the last completion is missing', without(11), ['lost: a/3']],
    ['a publish is missing', without(4), ['never published: a/2']],
    [
      'two of a key have changed places',
      [...good.slice(4, 8), ...good.slice(0, 4), ...good.slice(8)],
      ['handled out of order: a/1', 'an effect out of order: a/1'],
    ],
    ['an effect comes again at the end', [...good, good[2]!], ['an effect twice: a/1']],
    ['one begins before the other has ended', without(3), ['lost: a/1', 'two handlers of one key at once: a/2']],
    ['something is left', [...good, { type: 'drained', left: 2 }], ['2 left when all was over']],
  ])('sees that %s', (_, history, found) => {
    expect(violations(history)).toEqual(found)
  })
})
