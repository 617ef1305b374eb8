import assert from 'node:assert/strict'
import type { Rule } from '@headrace/core/testing'
import type { DeadInfo, ParkedKey, QueueDriver, QueueSupports, Subscription } from '../driver.ts'
import { type Collected, deadInfo, freshQueue, message, messages, type QueueSubject, testQueue } from './subject.ts'

type TestQueue = Awaited<ReturnType<typeof freshQueue>>

const needs = (supports: QueueSupports) => supports.park === true
const because: DeadInfo = { ...deadInfo, reason: 'exhausted', error: 'Error: "no" ✗\u0000' }
const keyed = (ids: string, key: string) => messages(ids, { key })

export const parkingRules: readonly Rule<QueueSubject, QueueSupports>[] = [
  {
    name: 'a parked message has left its queue, and its key is listed with why, through any connection',
    needs,
    async check(subject) {
      const queue = await freshQueue(subject, { park: true })
      assert.deepEqual(await parkedKeys(subject.peer, queue), [])
      const sent = [...keyed('ab', 'k'), message('c', { key: 'other' }), message('d', { key: 'schlüssel\u0000 ✓' })]
      const collected = await park(queue, sent, { a: because, b: undefined, d: because })
      await collected.settle(2)
      await collected.subscription.close()
      assert.deepEqual(await parkedKeys(subject.peer, queue), [
        { key: 'k', partition: 0, waiting: 2, id: 'a', because },
        { key: 'schlüssel\u0000 ✓', partition: 0, waiting: 1, id: 'd', because },
      ])
      const next = await queue.subscribe()
      await queue.quiet()
      assert.deepEqual(next.ids, [])
      assert.deepEqual(await dead(subject.driver, queue.name), [])
    },
  },
  {
    name: 'parked messages of a key are given out as they were, oldest first, at most as many as asked for',
    needs,
    async check(subject) {
      const queue = await freshQueue(subject, { park: true })
      const sent = [
        message('a', { headers: { trace: '✓' }, payload: '{"n":1}' }),
        ...keyed('x', 'other'),
        ...keyed('bcd', 'k'),
      ]
      const collected = await park(queue, sent, { a: because, x: because, b: undefined, c: undefined, d: undefined })
      const { subscription } = collected
      const given = await unpark(subscription, 'k', 2)
      const [first, second] = given
      assert.equal(given.length, 2)
      const shown = { ...first!.message, headers: { ...first!.message.headers }, delayMs: 0 }
      assert.deepEqual(shown, sent[0])
      assert.equal(second!.message.id, 'b')
      await subscription.settle([{ tag: first!.tag }, { tag: second!.tag }])
      assert.deepEqual(await unparkAll(subscription, 'k'), ['c', 'd'])
      assert.deepEqual(await unpark(subscription, 'k', 2), [])
      assert.deepEqual(await unpark(subscription, 'unknown', 2), [])
      assert.deepEqual(
        (await parkedKeys(subject.driver, queue)).map(({ key, waiting }) => ({ key, waiting })),
        [{ key: 'other', waiting: 1 }],
      )
    },
  },
  {
    name: 'one that stays parked keeps its place and can say why anew; what comes is behind it',
    needs,
    async check(subject) {
      const queue = await freshQueue(subject, { park: true })
      const collected = await park(queue, keyed('abc', 'k'), { a: because, b: undefined, c: undefined })
      const { subscription } = collected
      const [a, b, c] = await unpark(subscription, 'k', 3)
      const anew = { ...because, error: 'another', attempts: 7 }
      await subscription.settle([{ tag: a!.tag }, { tag: b!.tag, park: { because: anew } }, { tag: c!.tag, park: {} }])
      await queue.publish(message('d'))
      await collected.received(4)
      await subscription.settle([{ tag: collected.deliveries[3]!.tag, park: {} }])
      assert.deepEqual(await parkedKeys(subject.driver, queue), [
        { key: 'k', partition: 0, waiting: 3, id: 'b', because: anew },
      ])
      assert.deepEqual(await unparkAll(subscription, 'k'), ['b', 'c', 'd'])
    },
  },
  {
    name: 'a parked message can be a dead letter, and is not parked any more',
    needs,
    async check(subject) {
      const queue = await freshQueue(subject, { park: true })
      const { subscription } = await park(queue, keyed('ab', 'k'), { a: because, b: undefined })
      const [a] = await unpark(subscription, 'k', 1)
      await subscription.settle([{ tag: a!.tag, dead: because }])
      assert.deepEqual(await dead(subject.driver, queue.name), ['a'])
      assert.deepEqual(await unparkAll(subscription, 'k'), ['b'])
    },
  },
  {
    name: 'who becomes active is told the parked keys before the first delivery, and who was active is not told again',
    needs,
    async check(subject) {
      const queue = await freshQueue(subject, { park: true })
      const first = await queue.subscribe()
      const standby = await queue.subscribe({ driver: subject.peer })
      await queue.publish(...keyed('a', 'k'), ...keyed('b', 'l'))
      await first.received(2)
      await first.subscription.settle(first.deliveries.map(({ tag }) => ({ tag, park: { because } })))
      await queue.publish(...keyed('c', 'k'))
      await first.received(3)
      assert.deepEqual(first.parked, [])
      await first.subscription.close()
      await standby.received(1)
      assert.deepEqual(standby.ids, ['c'])
      assert.deepEqual(
        [...standby.parked].sort((one, two) => one.key.localeCompare(two.key)),
        [
          { key: 'k', after: 0 },
          { key: 'l', after: 0 },
        ],
      )
    },
  },
  {
    name: 'a crash loses no parked message and no order, also of those that were given out',
    needs,
    async check(subject) {
      const queue = await freshQueue(subject, { park: true })
      const sent = [...keyed('abcd', 'k'), ...keyed('x', 'other')]
      const { subscription } = await park(queue, sent, {
        a: because,
        b: undefined,
        c: undefined,
        d: undefined,
        x: because,
      })
      const [a] = await unpark(subscription, 'k', 3)
      await subscription.settle([{ tag: a!.tag }])
      const driver = await subject.crash()
      const after = testQueue({ ...subject, driver }, queue.name)
      await driver.declare({ name: queue.name, partitions: 2, depthMax: 10_000, park: true })
      await after.publish(message('e', { key: 'k' }))
      const second = await after.subscribe()
      await second.received(1)
      assert.deepEqual(second.ids, ['e'])
      assert.deepEqual(second.parked.map(({ key }) => key).sort(), ['k', 'other'])
      await second.subscription.settle([{ tag: second.deliveries[0]!.tag, park: {} }])
      assert.deepEqual(await unparkAll(second.subscription, 'k'), ['b', 'c', 'd', 'e'])
      assert.deepEqual(await unparkAll(second.subscription, 'other'), ['x'])
      await queue.quiet()
      assert.deepEqual(await parkedKeys(driver, queue), [])
    },
  },
]

/** Publishes messages to partition 0 and parks some of them, by their ids. */
async function park(
  queue: TestQueue,
  sent: readonly ReturnType<typeof message>[],
  parks: Readonly<Record<string, DeadInfo | undefined>>,
): Promise<Collected> {
  await queue.publish(...sent)
  const collected = await queue.subscribe()
  await collected.received(sent.length)
  const parked = collected.deliveries.filter((delivery) => delivery.message.id in parks)
  await collected.subscription.settle(
    parked.map((delivery) => ({ tag: delivery.tag, park: { because: parks[delivery.message.id] } })),
  )
  return collected
}

async function parkedKeys(driver: QueueDriver, queue: TestQueue): Promise<ParkedKey[]> {
  const all = await driver.parked!(queue.name)
  return [...all].sort((one, two) => one.key.localeCompare(two.key))
}

const unpark = (subscription: Subscription, key: string, max: number) => subscription.unpark!(key, max)

/** Settles all that is parked of a key, one after the other. */
async function unparkAll(subscription: Subscription, key: string): Promise<string[]> {
  const ids: string[] = []
  for (let some = await unpark(subscription, key, 2); some.length > 0; some = await unpark(subscription, key, 2)) {
    ids.push(...some.map((delivery) => delivery.message.id))
    await subscription.settle(some.map(({ tag }) => ({ tag })))
  }
  return ids
}

async function dead(driver: QueueDriver, queue: string): Promise<string[]> {
  const ids: string[] = []
  await driver.visitDead(queue, (letter) => {
    ids.push(letter.message.id)
    return 'keep'
  })
  return ids
}
