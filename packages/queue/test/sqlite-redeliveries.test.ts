import { DatabaseSync } from 'node:sqlite'
import { manualClock } from '@headrace/core/testing'
import type { Delivery, QueueDriver } from '@headrace/queue'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { describe, expect, it } from 'vitest'
import { copyOf, file, message } from './sqlite-set-up.ts'

describe('a SQLite queue', () => {
  it('does not count what was given back in good order as delivered', async () => {
    const clock = manualClock()
    const path = file()
    const first = sqliteQueue(path, { clock })
    await first.declare({ name: 'q', partitions: 1, depthMax: 10 })
    await first.publish('q', [message('a')])
    await first.subscribe('q', 0, { credit: 1, onDelivery() {}, onLost() {} })
    await clock.settle()
    await first.close()
    const second = sqliteQueue(path, { clock })
    const deliveries: Delivery[] = []
    await second.subscribe('q', 0, { credit: 1, onDelivery: (it) => deliveries.push(it), onLost() {} })
    await clock.settle()
    expect(deliveries).toMatchObject([{ redeliveries: 0 }])
    await second.close()
  })

  it('counts after a crash what was delivered, and nothing else', async () => {
    const clock = manualClock()
    const path = file()
    const copies: QueueDriver[] = []
    const redeliveries = async () => {
      const driver = sqliteQueue(copyOf(path), { clock })
      copies.push(driver)
      const counts: number[] = []
      await driver.subscribe('q', 0, { credit: 10, onDelivery: (it) => counts.push(it.redeliveries), onLost() {} })
      for (let turn = 0; turn < 4; turn++) await clock.settle()
      return counts
    }
    const driver = sqliteQueue(path, { clock })
    await driver.declare({ name: 'q', partitions: 1, depthMax: 10 })
    const subscriber = { credit: 2, onDelivery() {}, onLost() {} }
    const first = await driver.subscribe('q', 0, subscriber)
    await clock.settle()
    await driver.publish('q', ['a', 'b', 'c'].map(message))
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(await redeliveries()).toEqual([1, 1, 0])
    await first.close()
    expect(await redeliveries()).toEqual([0, 0, 0])
    const second = await driver.subscribe('q', 0, { ...subscriber, credit: 3 })
    await driver.subscribe('q', 0, { ...subscriber, credit: 1 })
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(await redeliveries()).toEqual([1, 1, 1])
    await second.close()
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(await redeliveries()).toEqual([1, 0, 0])
    for (const each of [driver, ...copies]) await each.close()
  })

  it('does not count after a crash what its consumer closed before it was delivered', async () => {
    const clock = manualClock()
    const path = file()
    const driver = sqliteQueue(path, { clock })
    await driver.declare({ name: 'q', partitions: 1, depthMax: 10 })
    await driver.publish('q', [message('a')])
    const seen: string[] = []
    const subscriber = { credit: 1, onDelivery: (it: Delivery) => seen.push(it.message.id), onLost() {} }
    const subscription = await driver.subscribe('q', 0, subscriber)
    // Its `deliver` comes first, so this closes when the mark is on its way and not yet on the disk.
    await new Promise<void>((resolve) => setImmediate(() => resolve(subscription.close())))
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(seen).toEqual([])
    const after = sqliteQueue(copyOf(path), { clock })
    const counts: number[] = []
    await after.subscribe('q', 0, { ...subscriber, onDelivery: (it) => counts.push(it.redeliveries) })
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(counts).toEqual([0])
    for (const each of [driver, after]) await each.close()
  })

  it('delivers nothing uncounted after a transaction that was rolled back', async () => {
    const clock = manualClock()
    const path = file()
    await sqliteQueue(path).close()
    const before = new DatabaseSync(path)
    before.exec(`CREATE TRIGGER full BEFORE INSERT ON headrace_messages
      WHEN NEW.id = 'bad' BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
    before.close()
    const driver = sqliteQueue(path, { clock })
    await driver.declare({ name: 'q', partitions: 1, depthMax: 10 })
    await driver.publish('q', [message('a'), message('b')])
    const seen: string[] = []
    const onDelivery = ({ message, redeliveries }: Delivery) => {
      seen.push(`${message.id} ${redeliveries}`)
      if (seen.length === 2) crashed = copyOf(path)
    }
    let crashed = ''
    const subscriber = { credit: 5, onDelivery, onLost() {} }
    await driver.subscribe('q', 0, subscriber)
    // After the subscription has asked for its mark, and so in the same transaction.
    const failing = new Promise<unknown>((resolve) =>
      setImmediate(() => resolve(driver.publish('q', [message('bad')]))),
    )
    expect(await failing).toMatchObject([{ type: 'unsent' }])
    expect(seen).toEqual([])
    // Whatever looks at the partition again must not go by the mark that was rolled back.
    await driver.subscribe('q', 0, subscriber)
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(seen).toEqual(['a 0', 'b 0'])
    const after = sqliteQueue(crashed, { clock })
    await after.subscribe('q', 0, subscriber)
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    expect(seen.slice(2)).toEqual(['a 1', 'b 1'])
    for (const each of [driver, after]) await each.close()
  })
})
