import { createQueue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { type Server, startRabbitmqCluster } from '@headrace/stack'
import { describe, expect, it } from 'vitest'
import { options, survive } from './rabbitmq-history.ts'
import { connect, driverAt } from './rabbitmq-set-up.ts'

const limitMs = 240_000

/** Connects to the nodes in the order given, whichever is there. */
const connectToAny = (nodes: readonly Server[]) => connect({ hosts: nodes.map(({ url }) => new URL(url).host) })

describe('a cluster of RabbitMQ', { timeout: limitMs }, () => {
  it('loses nothing and keeps the order of keys when the node dies that leads the queue and has its clients; of three nodes one confirms nothing', async () => {
    await using cluster = await startRabbitmqCluster()
    const [leader, second, third] = cluster.nodes as [Server, Server, Server]
    // A queue is led by the node that its declaration came to.
    await createQueue(driverAt(leader.url), 'led', options).open()
    const driver = (...nodes: Server[]) => rabbitmqQueue(connectToAny(nodes), { consuming: connectToAny(nodes) })
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
    console.log(`cluster: no confirmation for ${gapMs.toFixed(0)} ms`)
  })
})
