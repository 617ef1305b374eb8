import { setTimeout as sleep } from 'node:timers/promises'
import { createQueue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { type RabbitmqCluster, type RabbitmqServer, startRabbitmqCluster } from '@headrace/stack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HistoryEvent, violations } from '../history.ts'
import { isEmpty, options, publishSurely, recorded, survive } from './rabbitmq-history.ts'
import { connect, driverAt, until } from './rabbitmq-set-up.ts'

const limitMs = 240_000
const perKey = 100
let cluster: RabbitmqCluster

/** Connects to the nodes in the order given, whichever is there. */
const connectToAny = (nodes: readonly RabbitmqServer[]) => connect({ hosts: nodes.map(({ url }) => new URL(url).host) })
const driver = (...nodes: RabbitmqServer[]) => rabbitmqQueue(connectToAny(nodes), { consuming: connectToAny(nodes) })

describe('a cluster of RabbitMQ', { timeout: limitMs }, () => {
  beforeAll(async () => {
    cluster = await startRabbitmqCluster()
  }, limitMs)
  afterAll(() => cluster?.[Symbol.asyncDispose](), limitMs)

  it('hazard 6: cut in two, confirms nothing in the smaller part, goes on in the other, and keeps every promise when it is whole again', async () => {
    const [first, second, cutOff] = cluster.nodes as [RabbitmqServer, RabbitmqServer, RabbitmqServer]
    const limits = { ...options, publishMs: 2_000, partitions: 1 }
    await createQueue(driverAt(cutOff.url), 'cut', limits).open()
    const history: HistoryEvent[] = []
    const handled = new Set<string>()
    const sides = [driver(cutOff), driver(first, second)].map((own) => createQueue<number>(own, 'cut', limits))
    const consumers = [driver(cutOff), driver(second, first)].map((own) => createQueue<number>(own, 'cut', limits))
    for (const [at, queue] of consumers.entries()) {
      queue.consume(recorded(`${at}`, history, handled), { redeliveriesMax: 1_000 })
    }
    const accepted = (side: number) =>
      history.filter(({ type, ...it }) => type === 'accepted' && 'key' in it && it.key.startsWith(`${side}`)).length
    let published = 0
    let healed = false
    const publishing = sides.flatMap((queue, side) =>
      Array.from({ length: 10 }, async (_, key) => {
        for (let sequence = 0; sequence < perKey || !healed; sequence++) {
          await publishSurely(queue, history, `${side}-${key}`, sequence)
          published++
          await sleep(5)
        }
      }),
    )
    await until(() => handled.size > 300, 'some hundred are handled')
    await cluster.partition(cutOff)
    // What was under way may still be answered; what is sent now must not be confirmed.
    const probe = createQueue<number>(driver(cutOff), 'cut', { ...limits, publishMs: 3_000, callMs: 3_000 })
    history.push({ type: 'unknown', key: 'probe', sequence: 0 })
    await expect(probe.publish(0, { key: 'probe', id: 'probe/0' })).rejects.toMatchObject({
      code: expect.stringMatching(/^(TIMEOUT|UNAVAILABLE|BUSY)$/),
    })
    const [confirmed, before] = [accepted(0), handled.size]
    await until(() => handled.size > before + 200, 'the larger part goes on')
    expect(accepted(0)).toBe(confirmed)
    await cluster.heal(cutOff)
    await until(() => accepted(0) > confirmed + 50, 'what was cut off publishes again')
    // Queues work, but which of them exist is not the same on both sides until the node is started anew.
    await cutOff.kill()
    await cutOff.restart()
    healed = true
    await Promise.all(publishing)
    await until(() => handled.size - Number(handled.has('probe/0')) === published, 'all are handled')
    await until(() => isEmpty(sides[1]!), 'all are settled')
    await Promise.all([...sides, ...consumers, probe].map((queue) => queue.close()))
    expect(violations(history)).toEqual([])
    console.log(`cut: ${published} messages, 0 lost, 0 out of order`)
  })

  it('hazard 5: loses nothing and keeps the order of keys when the node dies that leads the queue and has its clients; one of three confirms nothing, and two do again', async () => {
    const [leader, second, third] = cluster.nodes as [RabbitmqServer, RabbitmqServer, RabbitmqServer]
    // A queue is led by the node that its declaration came to.
    await createQueue(driverAt(leader.url), 'led', options).open()
    const drivers = {
      publisher: driver(leader, second, third),
      consumers: [driver(leader, third, second), driver(second, third, leader)],
    }
    const { gapMs } = await survive('cluster', drivers, () => leader.kill())
    await second.kill()
    const queue = createQueue<number>(driver(third), 'led', { ...options, publishMs: 1_000, callMs: 1_000 })
    for (let body = 0; body < 3; body++) {
      const code = expect.stringMatching(/^(TIMEOUT|UNAVAILABLE|BUSY)$/)
      await expect(queue.publish(body)).rejects.toMatchObject({ code })
    }
    await second.restart()
    const isConfirmed = () =>
      queue.publish(3).then(
        () => true,
        () => false,
      )
    await until(isConfirmed, 'there is a majority')
    console.log(`cluster: no confirmation for ${gapMs.toFixed(0)} ms`)
  })
})
