import type { DeadInfo, Delivery, Settlement } from '@headrace/queue'
import type { MemoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { parkingRules } from '../src/rules/parking.ts'
import { type Breaks, failures, mapSubscriber, mapSubscription } from './broken-drivers.ts'

const mapSettle = (change: (settlement: Settlement) => Settlement): Breaks =>
  mapSubscription(({ settle }) => ({ settle: (all) => settle(all.map(change)) }))
const mapUnpark = (change: (deliveries: readonly Delivery[]) => readonly Delivery[]): Breaks =>
  mapSubscription(({ unpark }) => ({ unpark: async (key, max) => change(await unpark!(key, max)) }))

const listed = 'a parked message has left its queue, and its key is listed with why, through any connection'
const given = 'parked messages of a key are given out as they were, oldest first, at most as many as asked for'
const stays = 'one that stays parked keeps its place and can say why anew; what comes is behind it'
const dies = 'a parked message can be a dead letter, and is not parked any more'
const told =
  'who becomes active is told the parked keys before the first delivery, and who was active is not told again'
const crash = 'a crash loses no parked message and no order, also of those that were given out'

const broken: readonly [string, Breaks, rule: string][] = [
  ['throws away what it parks', mapSettle(({ tag, dead }) => ({ tag, dead })), listed],
  ['forgets why', mapSettle((settlement) => (settlement.park ? { ...settlement, park: {} } : settlement)), listed],
  [
    'puts it among the dead letters instead',
    mapSettle(({ tag, dead, park }) => ({ tag, dead: park?.because ?? dead })),
    listed,
  ],
  ['lists nothing', () => ({ parked: async () => [] }), listed],
  ['gives out the youngest first', mapUnpark((deliveries) => [...deliveries].reverse()), given],
  ['gives out all', mapSubscription(({ unpark }) => ({ unpark: (key) => unpark!(key, 1_000) })), given],
  [
    'gives out those of another key',
    mapSubscription(({ unpark }) => ({ unpark: (_, max) => unpark!('other', max) })),
    given,
  ],
  ['settles what is to stay', staysSettled(), stays],
  ['keeps the first reason', keepsReason(), stays],
  ['drops a parked message that dies', dropsTheDead(), dies],
  ['tells nobody', mapSubscriber(() => ({ onParked() {} })), told],
  ['tells after the first delivery', tellsLate(), told],
  ['loses what was given out when its consumer dies', losesGivenOut, crash],
]

describe('the conformance suite catches a driver that parks and', () => {
  it.each(broken)('%s', async (_, breaks, rule) => {
    expect(await failures((good, clock) => ({ ...good, ...breaks(good, clock) }))).toContain(rule)
  })

  it('and every rule has a driver that it catches', () => {
    const names = parkingRules.map(({ name }) => name)
    expect(names.filter((name) => !broken.some(([, , rule]) => rule === name))).toEqual([])
  })
})

/** Subscriptions that know which tags they have given out of the parked ones. */
function knowingParked(settle: (settlement: Settlement) => Settlement | undefined): Breaks {
  return mapSubscription((subscription) => {
    const given = new Set<number>()
    return {
      async unpark(key, max) {
        const deliveries = await subscription.unpark!(key, max)
        for (const { tag } of deliveries) given.add(tag)
        return deliveries
      },
      settle: (all) => subscription.settle(all.flatMap((it) => (given.has(it.tag) ? (settle(it) ?? []) : [it]))),
    }
  })
}

function staysSettled(): Breaks {
  return knowingParked(({ tag, dead }) => ({ tag, dead }))
}

function keepsReason(): Breaks {
  return knowingParked(({ tag, dead, park }) => ({ tag, dead, park: park && {} }))
}

function dropsTheDead(): Breaks {
  return knowingParked(({ tag, park }) => ({ tag, park }))
}

function tellsLate(): Breaks {
  return mapSubscriber((subscriber) => {
    let keys: readonly string[] = []
    return {
      onParked(parked: readonly string[]) {
        keys = parked
      },
      onDelivery(delivery: Delivery) {
        subscriber.onDelivery(delivery)
        if (keys.length > 0) subscriber.onParked?.(keys)
        keys = []
      },
    }
  })
}

function losesGivenOut(good: MemoryQueue): Partial<MemoryQueue> {
  const lose: (() => void)[] = []
  const because: DeadInfo | undefined = undefined
  return {
    async subscribe(queue, partition, subscriber) {
      const subscription = await good.subscribe(queue, partition, subscriber)
      return {
        ...subscription,
        async unpark(key, max) {
          const deliveries = await subscription.unpark!(key, max)
          const settled = deliveries.map(({ tag }) => ({ tag, dead: because }))
          lose.push(() => void subscription.settle(settled.slice(1)))
          return deliveries
        },
      }
    },
    crashConsumers() {
      for (const each of lose) each()
      good.crashConsumers()
    },
  }
}
