import assert from 'node:assert/strict'
import type { Rule } from '@headrace/core/testing'
import type { QueueSupports } from '../driver.ts'
import { freshQueue, message, messages, type QueueSubject } from './subject.ts'

export const publishingRules: readonly Rule<QueueSubject, QueueSupports>[] = [
  {
    name: 'declaring again changes nothing, through any connection',
    async check(subject) {
      const queue = await freshQueue(subject)
      await queue.publish(message('a'))
      for (const driver of [subject.driver, subject.peer]) {
        assert.deepEqual(await driver.declare({ name: queue.name, partitions: 2, depthMax: 10_000 }), [])
      }
      const collected = await queue.subscribe()
      await collected.received(1)
    },
  },
  {
    name: 'declaring with another number of partitions names the difference',
    async check(subject) {
      const queue = await freshQueue(subject, { partitions: 2 })
      for (const partitions of [1, 3]) {
        const differences = await subject.peer.declare({ name: queue.name, partitions, depthMax: 10_000 })
        assert.deepEqual(
          differences.map(({ what, wanted }) => ({ what, wanted })),
          [{ what: 'partitions', wanted: String(partitions) }],
        )
      }
      assert.equal((await queue.publish(message('a')))[0]?.type, 'stored')
    },
  },
  {
    name: 'a message arrives as it was published',
    async check(subject) {
      const queue = await freshQueue(subject)
      const sent = [
        message('plain'),
        message('nul \u0000 inside', { key: 'nul \u0000 inside', headers: { 'a\u0000': '\u0000b' } }),
        message('unicode ✓ 𝄞', { key: 'schlüssel/𝄞', payload: '{"text":"\\ud800 ✓ 𝄞\\u0000","__proto__":1}' }),
        message('no key', { key: undefined, payload: 'null' }),
        message('long '.repeat(100), {
          key: 'k'.repeat(512),
          headers: { [`x-${'n'.repeat(300)}`]: 'v'.repeat(2_000), Ünïcode: '✓', '': 'no name', id: 'not the id' },
        }),
        message('large', { payload: JSON.stringify('✓'.repeat(300_000)) }),
        message('not json', { payload: '{' }),
      ]
      for (const outcome of await queue.publish(...sent)) assert.equal(outcome.type, 'stored')
      const collected = await queue.subscribe()
      await collected.received(sent.length)
      assert.deepEqual(
        collected.deliveries.map((delivery) => ({
          ...delivery.message,
          headers: { ...delivery.message.headers },
          delayMs: 0,
        })),
        sent,
      )
      assert.deepEqual(
        collected.deliveries.map((delivery) => delivery.redeliveries),
        sent.map(() => 0),
      )
    },
  },
  {
    name: 'calls of publish take effect in their order, also when they overlap',
    async check(subject) {
      const queue = await freshQueue(subject)
      const batches = ['abc', 'd', 'efgh', 'ijklmnopq', 'r']
      await Promise.all(batches.map((ids) => queue.publish(...messages(ids))))
      const collected = await queue.subscribe()
      await collected.received(18)
      assert.equal(collected.ids.join(''), batches.join(''))
    },
  },
  {
    name: 'nothing is stored twice or dropped when several connections publish at once',
    async check(subject) {
      const queue = await freshQueue(subject)
      const publishes = Array.from({ length: 40 }, (_, at) =>
        (at % 2 ? subject.peer : subject.driver).publish(queue.name, [message(`${at}`), message(`${at}'`)]),
      )
      const outcomes = await Promise.all((await Promise.all(publishes)).flat())
      assert.equal(outcomes.filter((outcome) => outcome.type === 'stored').length, 80)
      const collected = await queue.subscribe()
      await collected.received(80)
      await queue.quiet()
      assert.equal(new Set(collected.ids).size, 80)
      assert.equal(collected.ids.length, 80)
    },
  },
  {
    name: 'queues and partitions are kept apart',
    async check(subject) {
      const [queue, other] = [await freshQueue(subject), await freshQueue(subject)]
      await queue.publish(message('p0'), message('p1', { partition: 1 }))
      await other.publish(message('o0'))
      const collected = [await queue.subscribe(), await queue.subscribe({ partition: 1 }), await other.subscribe()]
      await Promise.all(collected.map((each) => each.received(1)))
      await queue.quiet()
      assert.deepEqual(
        collected.map((each) => each.ids),
        [['p0'], ['p1'], ['o0']],
      )
    },
  },
  {
    name: 'nothing is stored in a queue that does not exist, and nobody is told that it is',
    async check({ driver }) {
      const name = `missing-${process.pid}-${Date.now()}`
      const outcomes = await Promise.all(await driver.publish(name, [message('a')]).catch(() => []))
      assert.notEqual(outcomes[0]?.type, 'stored')
      await assert.rejects(driver.subscribe(name, 0, { credit: 1, onDelivery() {}, onLost() {} }))
    },
  },
  {
    name: 'a queue that is full refuses what does not fit, and takes messages again when there is room',
    needs: (supports) => supports.depthMax,
    async check(subject) {
      const queue = await freshQueue(subject, { partitions: 1, depthMax: 3 })
      const stored: string[] = []
      // A broker may notice one message late.
      for (const id of 'abcdefgh') {
        const [outcome] = await queue.publish(message(id))
        if (outcome?.type === 'full') break
        assert.equal(outcome?.type, 'stored')
        stored.push(id)
      }
      assert.ok(stored.length >= 3 && stored.length <= 5, `${stored.length} are stored`)
      const collected = await queue.subscribe()
      await collected.received(stored.length)
      await collected.subscription.settle(collected.deliveries.map(({ tag }) => ({ tag })))
      await queue.until('room', async () => (await queue.publish(message('z')))[0]?.type === 'stored')
      await collected.received(stored.length + 1)
      assert.deepEqual(collected.ids, [...stored, 'z'])
    },
  },
  {
    name: 'of messages that are published together to a full queue, none is stored behind one that is not',
    needs: ({ prefix, depthMax }) => prefix === true && depthMax,
    async check(subject) {
      const queue = await freshQueue(subject, { partitions: 1, depthMax: 3 })
      // Too large for several of them to travel as one.
      const payload = JSON.stringify('x'.repeat(60_000))
      const ids = [...'abcdefghij']
      const outcomes = await queue.publish(...ids.map((id) => message(id, { payload })))
      const types = outcomes.map(({ type }) => type)
      const stored = types.lastIndexOf('stored') + 1
      assert.ok(stored >= 3 && stored < ids.length, types.join())
      assert.ok(!types.slice(0, stored).some((type) => type !== 'stored'), types.join())
      const collected = await queue.subscribe()
      await collected.received(stored)
      await queue.quiet()
      assert.deepEqual(collected.ids, ids.slice(0, stored))
    },
  },
  {
    name: 'a full queue that is to gives up its oldest message that nobody holds, to the dead letters, which have a bound too',
    needs: (supports) => supports.evict === true,
    async check(subject) {
      const queue = await freshQueue(subject, { partitions: 1, depthMax: 3, onFull: 'dead-letter' })
      const holding = await queue.subscribe({ credit: 1 })
      const outcomes: string[] = []
      for (const id of 'abcdefgh') {
        outcomes.push((await queue.publish(message(id)))[0]!.type)
        await holding.received(1)
      }
      assert.deepEqual(outcomes, [...Array.from({ length: 6 }, () => 'stored'), 'full', 'full'])
      const gone: string[] = []
      await subject.driver.visitDead(queue.name, (dead) => {
        gone.push(`${dead.message.id} ${dead.reason}`)
        return 'keep'
      })
      assert.deepEqual(gone, ['b overflow', 'c overflow', 'd overflow'])
      await holding.subscription.close()
      const collected = await queue.subscribe()
      await collected.received(3)
      assert.deepEqual(collected.ids, ['a', 'e', 'f'])
    },
  },
  {
    name: 'a delayed message is never early, and others do not wait for it',
    needs: (supports) => supports.delay,
    async check(subject) {
      const queue = await freshQueue(subject)
      const collected = await queue.subscribe()
      await queue.publish(message('late', { delayMs: 600 }), message('soon', { delayMs: 200 }), message('now'))
      await collected.received(1)
      await subject.elapse(100)
      assert.deepEqual(collected.ids, ['now'])
      await collected.received(2)
      assert.deepEqual(collected.ids, ['now', 'soon'])
      await collected.received(3)
      assert.deepEqual(collected.ids, ['now', 'soon', 'late'])
    },
  },
  {
    name: 'stats count what waits, what is delayed and what is dead, and know the oldest',
    async check(subject) {
      const { supports } = subject.driver
      const queue = await freshQueue(subject)
      const empty = { waiting: 0, delayed: 0, dead: 0, oldestAtMs: undefined }
      assert.deepEqual(await subject.driver.stats(queue.name), empty)
      await queue.publish(
        message('old', { publishedAtMs: 1_000 }),
        message('new', { partition: 1, publishedAtMs: 2_000 }),
      )
      if (supports.delay) await queue.publish(message('delayed', { publishedAtMs: 500, delayMs: 3_600_000 }))
      await queue.until('two waiting', async () => (await subject.driver.stats(queue.name)).waiting === 2)
      const stats = await subject.driver.stats(queue.name)
      if (supports.oldest) assert.equal(stats.oldestAtMs, 1_000)
      const collected = await queue.subscribe()
      await collected.received(1)
      const { waiting, oldestAtMs } = await subject.driver.stats(queue.name)
      assert.equal(waiting, 1, 'delivered does not wait')
      if (supports.oldest) assert.equal(oldestAtMs, 2_000)
    },
  },
]
