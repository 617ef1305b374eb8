import type { AsyncMessage, Channel } from 'rabbitmq-client'
import type { DeadInfo, Settlement, Subscriber, Subscription } from '../driver.ts'
import { redeliveriesOf, type StoredMessage } from './envelope.ts'
import { messagesOf } from './frames.ts'
import { partitionQueue } from './names.ts'
import { nextTurn } from './turn.ts'
import { createUnpacking } from './unpacking.ts'

interface RabbitmqSubscription extends Subscription {
  /** Messages that have come and are not delivered yet. */
  readonly waiting: number
}

/**
 * A subscription with a channel of its own: closing it gives everything back in order, and an acknowledgement can never
 * reach a channel that did not deliver.
 * @param bury stores a dead letter, confirmed.
 */
export async function subscribe(
  open: () => Promise<Channel>,
  bury: (message: StoredMessage, dead: DeadInfo) => Promise<void>,
  queue: string,
  partition: number,
  { credit, onDelivery, onLost }: Subscriber,
): Promise<RabbitmqSubscription> {
  const channel = await open()
  let ended = false

  const end = (cause: unknown) => {
    if (ended) return
    ended = true
    unpacking.stop()
    onLost(cause)
  }
  const giveUp = (cause: unknown) => {
    end(cause)
    void channel.close()
  }
  const unpacking = createUnpacking(credit, onDelivery, giveUp)
  channel.on('close', () => end(new Error('the channel was closed')))
  channel.on('basic.cancel', (_tag, cause: unknown) => giveUp(cause))

  /** Tags count up, so one frame can acknowledge all that are below the lowest one still open. */
  function acknowledge(tags: readonly number[]): void {
    const { lowestOpen = Number.POSITIVE_INFINITY } = unpacking
    const below = tags.filter((tag) => tag < lowestOpen)
    if (below.length > 0) channel.basicAck({ deliveryTag: Math.max(...below), multiple: true })
    for (const tag of tags) if (tag > lowestOpen) channel.basicAck({ deliveryTag: tag })
  }

  const receive = (received: AsyncMessage) => {
    if (ended) return
    unpacking.add(received.deliveryTag, redeliveriesOf(received), () => messagesOf(received, partition))
  }

  try {
    await channel.basicQos({ prefetchCount: credit })
    await channel.basicConsume({ queue: partitionQueue(queue, partition) }, receive)
  } catch (error) {
    ended = true
    void channel.close()
    throw error
  }
  return {
    get waiting() {
      return unpacking.waiting
    },
    async settle(settlements: readonly Settlement[]) {
      await Promise.all(
        settlements.map(({ tag, dead }) => {
          const message = dead && unpacking.find(tag)
          return message && bury(message, dead)
        }),
      )
      // Deliveries of one read come one by one; waiting a turn lets one frame acknowledge them all.
      await nextTurn()
      if (ended) throw new Error('the subscription has ended')
      // What is acknowledged twice closes the channel, so the broker only hears of tags that are open.
      const done = unpacking.settle(settlements.map(({ tag }) => tag))
      if (done.length > 0) acknowledge(done)
      unpacking.deliver()
    },
    async close() {
      ended = true
      unpacking.stop()
      await channel.close()
    },
  }
}
