import type { Settlement } from '@headrace/queue'
import { queueRules } from '@headrace/queue/conformance'
import { describe, expect, it } from 'vitest'
import { parkingRules } from '../src/rules/parking.ts'
import { replyRules } from '../src/rules/replies.ts'
import {
  type Breaks,
  copiesDead,
  delaysBehindEachOther,
  deliversOnce,
  failures,
  forgetsOnDeclare,
  givesBackBehind,
  mapDelivery,
  mapEach,
  mapMessages,
  mapSubscriber,
  mapSubscription,
  redrivesAsItWas,
  redrivesTwice,
  settlesAtClose,
  settlesOnNewest,
  sharesPartitions,
  showsThenMoves,
} from './broken-drivers.ts'

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
    'takes the next ones when one is refused',
    (good) => ({
      async publish(queue, messages) {
        const outcomes = await good.publish(queue, messages)
        return outcomes.map((outcome, at) => (messages.length > 9 && at === 0 ? { type: 'full' } : outcome))
      },
    }),
    'of messages that are published together to a full queue, none is stored behind one that is not',
  ],
  [
    'refuses instead of giving up the oldest',
    (good) => ({ declare: (queue) => good.declare({ ...queue, onFull: 'reject' }) }),
    'a full queue that is to gives up its oldest message that nobody holds, to the dead letters, which have a bound too',
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
    'passes on no more than 32 settlements ahead, and forgets the others at close',
    mapSubscription(({ settle }) => ({ settle: (all) => settle(all.slice(0, 32)) })),
    'what is settled right before the close is settled, however much of it, and with gaps in between',
  ],
  [
    'puts what is given back behind what was given back before',
    (good) => givesBackBehind(good),
    'what is given back keeps its order, also when one that took only a part of it gives that back, too',
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
    'puts what it has shown behind the others',
    (good) => showsThenMoves(good),
    'a visit that ends early leaves all in their order',
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
  [
    'lets a redriven message expire again',
    (good) => redrivesAsItWas(good),
    'a redriven message has all the time in the world',
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
    const names = queueRules
      .filter((rule) => !parkingRules.includes(rule) && !replyRules.includes(rule))
      .map(({ name }) => name)
    expect(names.filter((name) => !broken.some(([, , rule]) => rule === name))).toEqual([])
  })

  it('and passes one that keeps the contract', async () => {
    expect(await failures((good) => good)).toEqual([])
  })
})
