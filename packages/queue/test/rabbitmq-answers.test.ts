import { setTimeout as sleep } from 'node:timers/promises'
import { isHeadraceError } from '@headrace/core'
import { createQueue, type Queue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { Connection } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import { closeSurely } from '../src/rabbitmq/closing.ts'
import { type FakeBroker, startFakeBroker } from './fake-broker.ts'

/** Publishes `count` messages, and tells of each what has become of it. */
async function withBroker(
  { frames, count }: { readonly frames: boolean; readonly count: number },
  test: (broker: FakeBroker, ends: string[], settled: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await using broker = await startFakeBroker()
  const connection = new Connection({ url: broker.url, retryLow: 60_000, retryHigh: 60_000 })
  const queue: Queue<number> = createQueue(rabbitmqQueue(connection, { frames }), 'q', { partitions: 1 })
  await queue.open()
  const ends: string[] = Array.from({ length: count }, () => '…')
  const publishing = Array.from({ length: count }, async (_, body) => {
    try {
      await queue.publish(body, { key: `k${body}` })
      ends[body] = 'stored'
    } catch (error) {
      ends[body] = isHeadraceError(error) ? error.code : String(error)
    }
  })
  try {
    await test(broker, ends, async () => void (await Promise.all(publishing)))
  } finally {
    connection.unsafeDestroy()
    await queue.close()
  }
}

/** As soon as the client has read what the broker wrote. */
const until = async (condition: () => boolean) => {
  while (!condition()) await sleep(1)
}

it('a channel whose connection ends while it waits for an answer is closed all the same', async () => {
  await using broker = await startFakeBroker()
  const connection = new Connection(broker.url)
  connection.on('error', () => {})
  const channel = await connection.acquire()
  closeSurely(channel)
  // One that this broker does not know.
  const waiting = channel.basicQos({ prefetchCount: 1 }).catch((error: unknown) => error)
  const closing = channel.close()
  broker.breakOff()
  expect(await waiting).toBeInstanceOf(Error)
  await closing
  connection.unsafeDestroy()
})

describe('hazard 32: the right messages are answered', () => {
  it('by confirmations out of order', async () => {
    await withBroker({ frames: false, count: 3 }, async (broker, ends, settled) => {
      await broker.published(3)
      expect(broker.bodies).toEqual(['0', '1', '2'])
      broker.ack(3)
      await until(() => ends[2] !== '…')
      expect(ends).toEqual(['…', '…', 'stored'])
      broker.ack(1)
      await until(() => ends[0] !== '…')
      expect(ends).toEqual(['stored', '…', 'stored'])
      broker.ack(2)
      await settled()
      expect(ends).toEqual(['stored', 'stored', 'stored'])
    })
  })

  it('by one for several, and not those behind it', async () => {
    await withBroker({ frames: false, count: 5 }, async (broker, ends, settled) => {
      await broker.published(5)
      broker.ack(2)
      broker.ack(3, true)
      await until(() => ends[2] !== '…')
      expect(ends).toEqual(['stored', 'stored', 'stored', '…', '…'])
      broker.nack(5, true)
      await settled()
      expect(ends).toEqual(['stored', 'stored', 'stored', 'BUSY', 'BUSY'])
    })
  })

  it('by a refusal in the middle, and one that gives a message back', async () => {
    await withBroker({ frames: false, count: 4 }, async (broker, ends, settled) => {
      await broker.published(4)
      broker.nack(2)
      broker.giveBack(3)
      broker.ack(4)
      await until(() => ends[1] !== '…' && ends[3] !== '…')
      expect(ends).toEqual(['…', 'BUSY', '…', 'stored'])
      broker.ack(3, true)
      await settled()
      expect(ends).toEqual(['stored', 'BUSY', 'REJECTED', 'stored'])
    })
  })

  it('by one for half of a batch, and the end of the connection for the other half', async () => {
    await withBroker({ frames: true, count: 100 }, async (broker, ends, settled) => {
      await broker.published(2)
      broker.ack(1)
      await until(() => ends[0] !== '…')
      const half = ends.filter((end) => end === 'stored').length
      expect(half).toBeGreaterThan(0)
      expect(half).toBeLessThan(100)
      broker.breakOff()
      await settled()
      expect(ends).toEqual([...Array(half).fill('stored'), ...Array(100 - half).fill('TIMEOUT')])
    })
  })

  it('and by none for what was never sent', async () => {
    await withBroker({ frames: false, count: 1 }, async (broker, ends, settled) => {
      await broker.published(1)
      broker.ack(7)
      broker.nack(8)
      broker.ack(1)
      await settled()
      expect(ends).toEqual(['stored'])
    })
  })
})
