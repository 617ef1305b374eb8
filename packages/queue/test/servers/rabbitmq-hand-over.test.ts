import { createQueue, type Queue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { serverUrl } from '@headrace/stack'
import type { Connection } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import { type HistoryEvent, violations } from '../history.ts'
import { isEmpty, options, publishSurely, recorded } from './rabbitmq-history.ts'
import { connect, until } from './rabbitmq-set-up.ts'

const keys = 20
const perKey = 150
const prefetches = [300, 1, 20, 3]

interface Process {
  readonly queue: Queue<number>
  readonly connections: readonly Connection[]
}

describe('hazard 29: consumers that come and go', { timeout: 120_000 }, () => {
  it.each([true, false])('keep the order of keys, whatever each takes in advance, with frames: %s', async (frames) => {
    const name = `hand-over-${process.pid}-${Date.now()}`
    const driver = () => {
      const connections = [connect({ url: serverUrl('rabbitmq') }), connect({ url: serverUrl('rabbitmq') })] as const
      return { connections, driver: rabbitmqQueue(connections[0], { consuming: connections[1], frames }) }
    }
    const history: HistoryEvent[] = []
    const handled = new Set<string>()
    let begun = 0
    const start = (): Process => {
      const { connections, driver: own } = driver()
      const queue = createQueue<number>(own, name, options)
      const prefetch = prefetches[begun % prefetches.length]!
      queue.consume(recorded(`${begun++}`, history, handled), { prefetch, concurrency: 8, redeliveriesMax: 1_000 })
      return { queue, connections }
    }
    const publisher = createQueue<number>(driver().driver, name, options)
    await publisher.open()
    const publishing = Promise.all(
      Array.from({ length: keys }, async (_, key) => {
        for (let sequence = 0; sequence < perKey; sequence++)
          await publishSurely(publisher, history, `k${key}`, sequence)
      }),
    )
    let processes = [start(), start()]
    for (let round = 0; round < 16; round++) {
      const before = handled.size
      await until(() => handled.size >= Math.min(before + 20, keys * perKey), 'some more are handled')
      const [oldest, ...others] = processes as [Process, ...Process[]]
      // Some are killed, and some go in good order.
      if (round % 3 < 2) for (const connection of oldest.connections) connection.unsafeDestroy()
      void oldest.queue.close({ signal: AbortSignal.abort() })
      processes = [...others, start()]
    }
    await publishing
    await until(() => handled.size === keys * perKey, 'all are handled')
    await until(() => isEmpty(publisher), 'all are settled')
    await Promise.all([publisher, ...processes.map(({ queue }) => queue)].map((queue) => queue.close()))
    expect(violations(history)).toEqual([])
  })
})
