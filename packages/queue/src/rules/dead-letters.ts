import assert from 'node:assert/strict'
import type { Rule } from '@headrace/core/testing'
import type { DeadMessage, DeadVerdict, QueueDriver, QueueMessage, QueueSupports } from '../driver.ts'
import { deadInfo, freshQueue, message, messages, type QueueSubject, type TestQueue } from './subject.ts'

export const deadLetterRules: readonly Rule<QueueSubject, QueueSupports>[] = [
  {
    name: 'a dead letter is shown as it was published, with why and when it died',
    async check(subject) {
      const queue = await freshQueue(subject)
      const sent = [
        message('a ✓', { headers: { trace: '✓', 'x-death': 'mine' }, payload: '{"n":1}' }),
        message('b', { key: undefined, payload: 'not json' }),
      ]
      await bury(queue, sent)
      const shown = await dead(subject.driver, queue.name)
      assert.deepEqual(
        shown.map(({ message, ...info }) => ({
          info,
          message: { ...message, headers: { ...message.headers }, delayMs: 0 },
        })),
        sent.map((message) => ({ info: deadInfo, message })),
      )
      await queue.until('two are counted', async () => (await subject.driver.stats(queue.name)).dead === 2)
    },
  },
  {
    name: 'a dead letter has left its queue',
    async check(subject) {
      const queue = await freshQueue(subject)
      await bury(queue, messages('ab'))
      const collected = await queue.subscribe()
      await queue.quiet()
      assert.deepEqual(collected.ids, [])
    },
  },
  {
    name: 'visiting shows the oldest first and does what the visitor says, through any connection',
    async check(subject) {
      const queue = await freshQueue(subject)
      await bury(queue, messages('abcde'))
      const verdicts: Record<string, DeadVerdict> = { a: 'keep', b: 'remove', c: 'keep', d: 'stop' }
      assert.deepEqual(await visited(subject.peer, queue.name, verdicts), ['a', 'b', 'c', 'd'])
      await queue.until('four left', async () => (await subject.driver.stats(queue.name)).dead === 4)
      const left = await dead(subject.driver, queue.name)
      assert.deepEqual(
        left.map(({ message }) => message.id),
        ['a', 'c', 'd', 'e'],
      )
    },
  },
  {
    name: 'a visit that ends early leaves all in their order',
    async check(subject) {
      const queue = await freshQueue(subject)
      await bury(queue, messages('abcde'))
      const ids = async () => (await dead(subject.driver, queue.name)).map(({ message }) => message.id).join('')
      assert.equal(await ids(), 'abcde')
      assert.deepEqual(await visited(subject.driver, queue.name, { a: 'keep', b: 'remove', c: 'stop' }), [
        'a',
        'b',
        'c',
      ])
      await queue.until('four left', async () => (await subject.driver.stats(queue.name)).dead === 4)
      assert.equal(await ids(), 'acde')
    },
  },
  {
    name: 'a redriven message is delivered again as it was, and is no dead letter any more',
    async check(subject) {
      const queue = await freshQueue(subject)
      const sent = [message('a', { partition: 1, headers: { h: '1' } }), message('b', { partition: 1 })]
      await bury(queue, sent, 1)
      assert.deepEqual(await visited(subject.driver, queue.name, { a: 'redrive', b: 'redrive' }), ['a', 'b'])
      const collected = await queue.subscribe({ partition: 1 })
      await collected.received(2)
      assert.deepEqual(
        collected.deliveries.map(({ message }) => ({ ...message, headers: { ...message.headers }, delayMs: 0 })),
        sent,
      )
      await queue.until('none left', async () => (await subject.driver.stats(queue.name)).dead === 0)
    },
  },
  {
    name: 'a redriven message has all the time in the world',
    async check(subject) {
      const queue = await freshQueue(subject)
      await bury(queue, [message('a', { headers: { 'headrace-expires-at': '1', h: '1' } })])
      assert.deepEqual(await visited(subject.driver, queue.name, { a: 'redrive' }), ['a'])
      const collected = await queue.subscribe()
      await collected.received(1)
      assert.deepEqual({ ...collected.deliveries[0]!.message.headers }, { h: '1' })
    },
  },
  {
    name: 'two visitors at a time redrive each dead letter once',
    async check(subject) {
      const queue = await freshQueue(subject)
      const ids = 'abcdefghij'
      await bury(queue, messages(ids))
      const redriveAll = async (driver: QueueDriver) => {
        await driver.visitDead(queue.name, async (): Promise<DeadVerdict> => {
          await Promise.resolve()
          return 'redrive'
        })
      }
      await Promise.all([redriveAll(subject.driver), redriveAll(subject.peer)])
      const collected = await queue.subscribe()
      await collected.received(ids.length)
      await queue.quiet()
      assert.deepEqual([...collected.ids].sort().join(''), ids)
    },
  },
  {
    name: 'a visitor that throws ends the visit, and nothing is lost',
    async check(subject) {
      const queue = await freshQueue(subject)
      await bury(queue, messages('ab'))
      const visit = subject.driver.visitDead(queue.name, () => {
        throw new Error('visitor')
      })
      await assert.rejects(visit)
      await queue.until('both there', async () => (await dead(subject.driver, queue.name)).length === 2)
    },
  },
]

async function bury(queue: TestQueue, sent: readonly QueueMessage[], partition = 0): Promise<void> {
  await queue.publish(...sent)
  const collected = await queue.subscribe({ partition })
  await collected.received(sent.length)
  await collected.subscription.settle(collected.deliveries.map(({ tag }) => ({ tag, dead: deadInfo })))
  await collected.subscription.close()
}

async function dead(driver: QueueDriver, queue: string): Promise<DeadMessage[]> {
  const shown: DeadMessage[] = []
  await driver.visitDead(queue, (letter) => {
    shown.push(letter)
    return 'keep'
  })
  return shown
}

async function visited(driver: QueueDriver, queue: string, verdicts: Record<string, DeadVerdict>): Promise<string[]> {
  const ids: string[] = []
  await driver.visitDead(queue, ({ message }) => {
    ids.push(message.id)
    return verdicts[message.id]!
  })
  return ids
}
