import assert from 'node:assert/strict'
import type { Rule } from '@headrace/core/testing'
import type { QueueDriver, QueueSupports, Reply, ReplyBox } from '../driver.ts'
import { freshQueue, type QueueSubject } from './subject.ts'

interface Opened extends ReplyBox {
  readonly received: readonly Reply[]
  readonly lost: readonly unknown[]
}

async function openBox({ replies }: QueueDriver): Promise<Opened> {
  const received: Reply[] = []
  const lost: unknown[] = []
  const box = await replies!.open({
    onReply: (reply) => received.push(reply),
    onLost: (cause) => lost.push(cause),
  })
  return { ...box, received, lost }
}

const reply = (id: string): Reply => ({ id, payload: `{"value":"${id} ✓"}` })

export const replyRules: readonly Rule<QueueSubject, QueueSupports>[] = [
  {
    name: 'an answer reaches the box it is sent to, and no other, as it was and in order',
    needs: (supports) => supports.replies === true,
    async check(subject) {
      const queue = await freshQueue(subject)
      const [box, other] = [await openBox(subject.driver), await openBox(subject.driver)]
      assert.notEqual(box.address, other.address)
      for (const id of ['a', 'b', 'c']) await subject.driver.replies!.send(box.address, reply(id))
      await queue.until('three answers', () => box.received.length >= 3)
      await queue.quiet()
      assert.deepEqual(box.received, [reply('a'), reply('b'), reply('c')])
      assert.deepEqual(other.received, [])
      await Promise.all([box.close(), other.close()])
    },
  },
  {
    name: 'an answer comes through any connection',
    needs: (supports) => supports.replies === true,
    async check(subject) {
      const queue = await freshQueue(subject)
      await subject.peer.declare({ name: queue.name, partitions: 2, depthMax: 10_000 })
      const box = await openBox(subject.driver)
      await subject.peer.replies!.send(box.address, reply('a'))
      await queue.until('an answer', () => box.received.length > 0)
      assert.deepEqual(box.received, [reply('a')])
      await box.close()
    },
  },
  {
    name: 'an answer for a box that is closed is dropped, and harms nobody',
    needs: (supports) => supports.replies === true,
    async check(subject) {
      const queue = await freshQueue(subject)
      const [closed, box] = [await openBox(subject.driver), await openBox(subject.driver)]
      await closed.close()
      await subject.driver.replies!.send(closed.address, reply('late'))
      await subject.driver.replies!.send(box.address, reply('a'))
      await queue.until('an answer', () => box.received.length > 0)
      await queue.quiet()
      assert.deepEqual(closed.received, [])
      assert.deepEqual(closed.lost, [], 'what was closed is not lost')
      await box.close()
    },
  },
  {
    name: 'a box is lost when its driver is closed, and says so once',
    needs: (supports) => supports.replies === true,
    async check(subject) {
      const queue = await freshQueue(subject)
      const box = await openBox(subject.driver)
      await subject.driver.close()
      await queue.until('the loss', () => box.lost.length > 0)
      await queue.quiet()
      assert.equal(box.lost.length, 1)
    },
  },
]
