import assert from 'node:assert/strict'
import type { Rule } from '@headrace/core/testing'
import type { QueueSupports } from '../driver.ts'
import { freshQueue, message, messages, type QueueSubject, testQueue } from './subject.ts'

export const deliveringRules: readonly Rule<QueueSubject, QueueSupports>[] = [
  {
    name: 'no more than the credit is unsettled, and a settlement makes room for the next',
    async check(subject) {
      const queue = await freshQueue(subject)
      await queue.publish(...messages('abcde'))
      const collected = await queue.subscribe({ credit: 2 })
      await collected.received(2)
      await queue.quiet()
      assert.deepEqual(collected.ids, ['a', 'b'])
      await collected.settle(1)
      await collected.received(3)
      await queue.quiet()
      assert.deepEqual(collected.ids, ['a', 'b', 'c'])
    },
  },
  {
    name: 'a message that arrives while someone waits is delivered',
    async check(subject) {
      const queue = await freshQueue(subject)
      const collected = await queue.subscribe()
      await queue.publish(message('a'))
      await collected.received(1)
      await queue.publish(message('b'))
      await collected.received(2)
      assert.deepEqual(collected.ids, ['a', 'b'])
    },
  },
  {
    name: 'what is settled is never delivered again; the rest comes again in its order, before younger messages',
    async check(subject) {
      const queue = await freshQueue(subject)
      await queue.publishEach(...messages('abcde'))
      const first = await queue.subscribe()
      await first.received(5)
      await first.subscription.settle([1, 3].map((at) => ({ tag: first.deliveries[at]!.tag })))
      await first.subscription.close()
      await queue.publish(message('f'))
      const second = await queue.subscribe()
      await second.received(4)
      await queue.quiet()
      assert.deepEqual(second.ids, ['a', 'c', 'e', 'f'])
      assert.deepEqual(first.lost, [], 'closing is not losing')
    },
  },
  {
    name: 'what is settled right before the close is settled, however much of it, and with gaps in between',
    async check(subject) {
      const queue = await freshQueue(subject)
      const all = Array.from({ length: 200 }, (_, at) => message(`${at}`))
      for (const each of all) await queue.publish(each)
      const first = await queue.subscribe({ credit: 200 })
      await first.received(200)
      await first.subscription.settle(first.deliveries.filter((_, at) => at % 2).map(({ tag }) => ({ tag })))
      await first.subscription.close()
      const second = await queue.subscribe({ credit: 200 })
      await second.received(100)
      await queue.quiet()
      assert.deepEqual(
        second.ids,
        all.filter((_, at) => at % 2 === 0).map(({ id }) => id),
      )
    },
  },
  {
    name: 'what is given back keeps its order, also when one that took only a part of it gives that back, too',
    async check(subject) {
      const queue = await freshQueue(subject)
      await queue.publishEach(...messages('abcdef'))
      for (const credit of [6, 2]) {
        const collected = await queue.subscribe({ credit })
        await collected.received(credit)
        await collected.subscription.close()
      }
      const last = await queue.subscribe()
      await last.received(6)
      assert.deepEqual(last.ids, [...'abcdef'])
    },
  },
  {
    name: 'after close nothing is delivered',
    async check(subject) {
      const queue = await freshQueue(subject)
      const collected = await queue.subscribe()
      await collected.subscription.close()
      await queue.publish(message('a'))
      await queue.quiet()
      assert.deepEqual(collected.ids, [])
    },
  },
  {
    name: 'of two subscriptions to a partition one is active, and the other takes over when it ends',
    async check(subject) {
      const queue = await freshQueue(subject)
      const active = await queue.subscribe({ credit: 2 })
      const standby = await queue.subscribe({ driver: subject.peer })
      await queue.publishEach(...messages('abcd'))
      await active.received(2)
      await queue.quiet()
      assert.deepEqual(standby.ids, [])
      await active.settle(0)
      await active.received(3)
      await active.subscription.close()
      await standby.received(3)
      assert.deepEqual([active.ids, standby.ids].join(' '), 'a,b,c b,c,d')
    },
  },
  {
    name: 'settling again, or a tag that was never given out, does nothing to others',
    async check(subject) {
      const queue = await freshQueue(subject)
      await queue.publishEach(...messages('abc'))
      const first = await queue.subscribe()
      await first.received(3)
      await first.settle(0)
      await first.subscription.settle([{ tag: first.deliveries[0]!.tag }, { tag: 1_000_000 }]).catch(() => {})
      await first.subscription.close()
      const second = await queue.subscribe()
      await second.received(2)
      assert.deepEqual(second.ids, ['b', 'c'])
    },
  },
  {
    name: 'a settlement that comes after the end of its subscription does not settle the redelivery',
    async check(subject) {
      const queue = await freshQueue(subject)
      await queue.publish(...messages('ab'))
      const first = await queue.subscribe()
      await first.received(2)
      await first.subscription.close()
      const second = await queue.subscribe()
      await second.received(2)
      await first.settle(0).catch(() => {})
      await queue.quiet()
      await second.subscription.close()
      const third = await queue.subscribe()
      await third.received(2)
      assert.deepEqual(third.ids, ['a', 'b'])
    },
  },
  {
    name: 'a crash loses nothing that was confirmed, and what was unsettled comes again, counted and in order',
    async check(subject) {
      const queue = await freshQueue(subject)
      await queue.publishEach(...messages('abcd'))
      const first = await queue.subscribe({ credit: 3 })
      await first.received(3)
      await first.settle(1)
      const driver = await subject.crash()
      const after = testQueue({ ...subject, driver }, queue.name)
      await after.publish(message('e'))
      const second = await after.subscribe()
      await second.received(4)
      await queue.quiet()
      assert.deepEqual(second.ids, ['a', 'c', 'd', 'e'])
      assert.ok(second.deliveries[0]!.redeliveries >= 1, 'the first was delivered before')
      assert.equal(second.deliveries[3]!.redeliveries, 0, 'the last was not')
    },
  },
  {
    name: 'closing the driver tells every subscription, once',
    async check(subject) {
      const queue = await freshQueue(subject)
      const collected = [await queue.subscribe(), await queue.subscribe({ partition: 1 })]
      await subject.driver.close()
      await queue.until('told', () => collected.every((each) => each.lost.length > 0))
      await queue.quiet()
      assert.deepEqual(
        collected.map((each) => each.lost.length),
        [1, 1],
      )
    },
  },
]
