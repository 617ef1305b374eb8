import { createQueue, type QueueDriver } from '@headrace/queue'
import { serverUrl } from '@headrace/stack'
import { describe, expect, it } from 'vitest'
import { type HistoryEvent, violations } from '../history.ts'
import { type Network, startNetwork } from './network.ts'
import { isEmpty, options, publishSurely, recorded } from './rabbitmq-history.ts'
import { driverAt, opened, until } from './rabbitmq-set-up.ts'

const keys = 10

/** Publishes and consumes over a bad network until `fault` is over, and some more. */
async function survives(
  name: string,
  fault: (network: Network, handled: () => number) => Promise<void>,
): Promise<void> {
  await using network = await startNetwork(serverUrl('rabbitmq'))
  const unique = `network-${name}-${process.pid}-${Date.now()}`
  const open = (driver: QueueDriver) => createQueue<number>(driver, unique, { ...options, publishMs: 2_000 })
  const [publisher, consumer] = [open(driverAt(network.url)), open(driverAt(network.url))]
  await publisher.open()
  const history: HistoryEvent[] = []
  const handled = new Set<string>()
  consumer.consume(recorded('one', history, handled), { redeliveriesMax: 1_000 })
  let over = false
  let published = 0
  const publishing = Promise.all(
    Array.from({ length: keys }, async (_, key) => {
      for (let sequence = 0; sequence < 30 || !over; sequence++) {
        await publishSurely(publisher, history, `k${key}`, sequence)
        published++
      }
    }),
  )
  await until(() => handled.size > 50, 'some are handled')
  await fault(network, () => handled.size)
  over = true
  await publishing
  await until(() => handled.size === published, 'all are handled')
  await until(() => isEmpty(publisher), 'all are settled')
  await Promise.all([publisher.close(), consumer.close()])
  expect(violations(history)).toEqual([])
}

describe('hazard 8: on a bad network nothing is lost, and no key is out of order', { timeout: 120_000 }, () => {
  it('where every byte travels by itself', async () => {
    await survives('drip', async (network, handled) => {
      network.drip(true)
      const before = handled()
      await until(() => handled() > before + 300, 'hundreds are handled so')
      network.drip(false)
    })
  })

  it('where connections are reset in the middle of a message', async () => {
    await survives('reset', async (network, handled) => {
      network.drip(true)
      for (let times = 0; times < 5; times++) {
        const before = handled()
        await until(() => handled() > before + 20, 'some are handled')
        network.reset()
      }
      network.drip(false)
    })
  })

  it('where connections stay open and carry nothing', async () => {
    await survives('silence', async (network, handled) => {
      const [before, silent] = [handled(), opened.length]
      network.silence()
      await until(() => opened.slice(0, silent).every(({ ready }) => !ready), 'every connection is given up')
      await until(() => handled() > before + 50, 'others carry on')
    })
  })
})
