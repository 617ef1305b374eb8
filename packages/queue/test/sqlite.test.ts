import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Fixture, manualClock } from '@headrace/core/testing'
import { createQueue, type Delivery, type QueueMessage, reject } from '@headrace/queue'
import { type QueueSubject, queueConformance } from '@headrace/queue/conformance'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { describe, expect, it } from 'vitest'
import { outcome } from './set-up.ts'
import { copyOf, file, folder, message } from './sqlite-set-up.ts'

function subject(): Fixture<QueueSubject> {
  const clock = manualClock()
  const path = file()
  const driver = sqliteQueue(path, { clock })
  const drivers = [driver]
  return {
    subject: {
      driver,
      peer: driver,
      elapse: (ms) => clock.advance(ms),
      async crash() {
        drivers.push(sqliteQueue(copyOf(path), { clock }))
        return drivers.at(-1)!
      },
    },
    async close() {
      for (const driver of drivers) await driver.close()
    },
  }
}

describe('the SQLite driver', () => {
  const { driver } = subject().subject
  queueConformance({ test: it, create: subject, supports: driver.supports })
})

describe('a SQLite queue', () => {
  it('is there again after close, with its delayed messages and dead letters', async () => {
    const clock = manualClock()
    const path = file()
    const first = sqliteQueue(path, { clock })
    const queue = createQueue<string>(first, 'q', { clock })
    await queue.publish('dead', { id: 'dead' })
    const consumer = queue.consume(() => {
      throw reject('no')
    })
    while ((await queue.stats()).dead < 1) await clock.advance(1)
    await consumer.close()
    await queue.publishAll([{ body: 'waits' }, { body: 'later', delayMs: 60_000 }])
    await queue.close()
    await first.close()
    await first.close()

    const second = sqliteQueue(path, { clock })
    const again = createQueue<string>(second, 'q', { clock })
    expect(await again.stats()).toMatchObject({ depth: 1, delayed: 1, dead: 1 })
    const seen: string[] = []
    again.consume((message) => seen.push(message.body))
    // The disk takes real turns of the event loop, which manual time does not wait for.
    while ((await again.stats()).depth > 0) await clock.settle()
    await clock.advance(59_000)
    expect(seen).toEqual(['waits'])
    await clock.advance(1_000)
    expect(seen).toEqual(['waits', 'later'])
    expect(await again.deadLetters.list()).toMatchObject([{ id: 'dead' }])
    await again.close()
    await second.close()
    expect(clock.pending).toBe(0)
  })

  it('stops delivering in the middle when the subscriber closes', async () => {
    const clock = manualClock()
    const driver = sqliteQueue(file(), { clock })
    await driver.declare({ name: 'q', partitions: 1, depthMax: 10 })
    await driver.publish('q', ['a', 'b', 'c'].map(message))
    const seen: string[] = []
    const subscription = await driver.subscribe('q', 0, {
      credit: 10,
      onDelivery(it) {
        seen.push(it.message.id)
        void subscription.close()
      },
      onLost() {},
    })
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(seen).toEqual(['a'])
    await driver.close()
  })

  it('holds exactly depthMax messages: waiting, delivered, delayed and dead', async () => {
    const clock = manualClock()
    const driver = sqliteQueue(file(), { clock })
    await driver.declare({ name: 'q', partitions: 1, depthMax: 3 })
    const publish = async (...messages: QueueMessage[]) => (await driver.publish('q', messages)).map((it) => it)
    expect(await publish(message('a'), { ...message('b'), delayMs: 1_000 }, message('c'), message('d'))).toMatchObject([
      { type: 'stored' },
      { type: 'stored' },
      { type: 'stored' },
      { type: 'full' },
    ])
    const tags: number[] = []
    const subscription = await driver.subscribe('q', 0, {
      credit: 9,
      onDelivery: (it) => tags.push(it.tag),
      onLost() {},
    })
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    await subscription.settle([{ tag: tags[0]!, dead: { reason: 'rejected', error: '', attempts: 1, deadAtMs: 0 } }])
    expect(await publish(message('e'))).toMatchObject([{ type: 'full' }])
    await subscription.settle([{ tag: tags[1]! }])
    expect(await publish(message('f'), message('g'))).toMatchObject([{ type: 'stored' }, { type: 'full' }])
    await clock.advance(999)
    expect(await driver.stats('q')).toMatchObject({ waiting: 0, delayed: 1, dead: 1 })
    await clock.advance(1)
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(await driver.stats('q')).toMatchObject({ delayed: 0, dead: 1 })
    expect(tags).toHaveLength(4)
    await driver.visitDead('q', () => 'remove')
    expect(await publish(message('h'))).toMatchObject([{ type: 'stored' }])
    await driver.publish('q', [{ ...message('i'), delayMs: 1_000 }])
    await driver.close()
    expect(clock.pending).toBe(0)
  })

  it('stores no NUL, which node:sqlite of Node 22 reads as the end of a text, and gives each one back', async () => {
    const clock = manualClock()
    const path = file()
    const texts = ['\0', 'a\0b', '\u0001', '\u0001\0', '\0\u0001b', '\u0001a\u0001b', 'plain']
    const first = sqliteQueue(path, { clock })
    const name = 'q\0\u0001'
    await first.declare({ name, partitions: 1, depthMax: 20 })
    await first.publish(
      name,
      texts.map((text) => ({ ...message(text), key: text, payload: JSON.stringify(text) })),
    )
    await first.publish(name, [message('dead')])
    const tags: number[] = []
    const subscriber = { credit: 20, onDelivery: (it: Delivery) => tags.push(it.tag), onLost() {} }
    const subscription = await first.subscribe(name, 0, subscriber)
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    const error = 'why\0not'
    await subscription.settle([{ tag: tags.at(-1)!, dead: { reason: 'rejected', error, attempts: 1, deadAtMs: 0 } }])
    await first.close()

    const raw = new DatabaseSync(path)
    const columns =
      'SELECT id || key || payload AS text FROM headrace_messages UNION ALL SELECT name FROM headrace_queues'
    const found = raw.prepare(
      `SELECT max(instr(text, char(0))) AS nul FROM (${columns} UNION ALL SELECT error FROM headrace_dead)`,
    )
    expect(found.get()).toMatchObject({ nul: 0 })
    raw.close()
    const second = sqliteQueue(path, { clock })
    const seen: unknown[] = []
    const onDelivery = ({ message: { id, key, payload } }: Delivery) => seen.push([id, key, JSON.parse(payload)])
    await second.subscribe(name, 0, { ...subscriber, onDelivery })
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(seen).toEqual(texts.map((text) => [text, text, text]))
    const errors: string[] = []
    await second.visitDead(name, (dead) => {
      errors.push(dead.error)
      return 'keep'
    })
    expect(errors).toEqual([error])
    await second.close()
  })

  it('delivers a backlog that is larger than one read', async () => {
    const clock = manualClock()
    const driver = sqliteQueue(file(), { clock })
    await driver.declare({ name: 'q', partitions: 1, depthMax: 10_000 })
    const ids = Array.from({ length: 1_700 }, (_, at) => `${at}`)
    await driver.publish('q', ids.map(message))
    const seen: string[] = []
    await driver.subscribe('q', 0, { credit: 5_000, onDelivery: (it) => seen.push(it.message.id), onLost() {} })
    for (let turn = 0; turn < 10; turn++) await clock.settle()
    expect(seen).toEqual(ids)
    await driver.close()
  })

  it('refuses a file it cannot read, and says why', () => {
    expect(() => sqliteQueue(join(folder, 'missing', 'q.db'))).toThrow('the SQLite file could not be opened')
    const path = file()
    const newer = new DatabaseSync(path)
    newer.exec('PRAGMA user_version = 99')
    newer.close()
    expect(() => sqliteQueue(path)).toThrow('format 99')
    expect(() => sqliteQueue('')).toThrow('path must be a non-empty string')
  })

  it('lets go of the file when it closes, also where the disk fails', async () => {
    const path = file()
    await sqliteQueue(path).close()
    const before = new DatabaseSync(path)
    before.exec(`CREATE TRIGGER full BEFORE DELETE ON headrace_delivered BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
    before.close()
    const clock = manualClock()
    const driver = sqliteQueue(path, { clock })
    await driver.declare({ name: 'q', partitions: 1, depthMax: 10 })
    await driver.subscribe('q', 0, { credit: 1, onDelivery() {}, onLost() {} })
    await driver.publish('q', [message('a')])
    expect(String(await outcome(driver.close()))).toContain('disk full')
    const after = new DatabaseSync(path)
    expect(after.prepare('SELECT id FROM headrace_messages').all()).toMatchObject([{ id: 'a' }])
    after.close()
  })

  it('says after close that what is published was not sent', async () => {
    const driver = sqliteQueue(file())
    await driver.declare({ name: 'q', partitions: 1, depthMax: 10 })
    const [other] = await driver.publish('other', [message('a')])
    expect(other).toMatchObject({ type: 'unsent', cause: { message: /not declared/ } })
    await driver.close()
    const outcomes = await driver.publish('q', [message('a'), { ...message('b'), delayMs: 1_000 }])
    const unsent = { type: 'unsent', cause: { message: /closed/ } }
    expect(outcomes).toMatchObject([unsent, unsent])
  })

  it('answers nothing after close', async () => {
    const driver = sqliteQueue(file())
    await driver.declare({ name: 'q', partitions: 1, depthMax: 10 })
    const subscription = await driver.subscribe('q', 0, { credit: 1, onDelivery() {}, onLost() {} })
    await driver.close()
    for (const call of [
      driver.declare({ name: 'q', partitions: 1, depthMax: 10 }),
      driver.stats('q'),
      driver.visitDead('q', () => 'keep'),
      subscription.settle([{ tag: 1 }]),
    ]) {
      expect(String(await outcome(call))).toContain('closed')
    }
    await subscription.close()
  })
})
