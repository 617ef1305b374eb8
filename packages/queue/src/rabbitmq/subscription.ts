import type { AsyncMessage, Channel } from 'rabbitmq-client'
import type { DeadInfo, Delivery, Settlement, Subscriber, Subscription } from '../driver.ts'
import { fromEnvelope, redeliveriesOf, type StoredMessage } from './envelope.ts'
import { partitionQueue } from './names.ts'
import { nextTurn } from './turn.ts'

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
): Promise<Subscription> {
  const channel = await open()
  // What is acknowledged twice closes the channel, so the broker only hears of tags that are open.
  const unsettled = new Map<number, StoredMessage>()
  let ended = false

  const end = (cause: unknown) => {
    if (ended) return
    ended = true
    unsettled.clear()
    onLost(cause)
  }
  channel.on('close', () => end(new Error('the channel was closed')))
  channel.on('basic.cancel', (_tag, cause: unknown) => {
    end(cause)
    void channel.close()
  })

  /** Tags count up, so one frame can acknowledge all that are below the lowest one still open. */
  function acknowledge(tags: readonly number[]): void {
    for (const tag of tags) unsettled.delete(tag)
    const [lowestOpen = Number.POSITIVE_INFINITY] = unsettled.keys()
    const below = tags.filter((tag) => tag < lowestOpen)
    if (below.length > 0) channel.basicAck({ deliveryTag: Math.max(...below), multiple: true })
    for (const tag of tags) if (tag > lowestOpen) channel.basicAck({ deliveryTag: tag })
  }

  const receive = (received: AsyncMessage) => {
    if (ended) return
    const message = fromEnvelope(received, partition)
    const delivery: Delivery = { tag: received.deliveryTag, message, redeliveries: redeliveriesOf(received) }
    unsettled.set(delivery.tag, message)
    onDelivery(delivery)
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
    async settle(settlements: readonly Settlement[]) {
      const open = settlements.filter(({ tag }) => unsettled.has(tag))
      await Promise.all(open.map(({ tag, dead }) => dead && bury(unsettled.get(tag)!, dead)))
      // Deliveries of one read come one by one; waiting a turn lets one frame acknowledge them all.
      await nextTurn()
      if (ended) throw new Error('the subscription has ended')
      const tags = open.map(({ tag }) => tag).filter((tag) => unsettled.has(tag))
      if (tags.length > 0) acknowledge(tags)
    },
    async close() {
      ended = true
      unsettled.clear()
      await channel.close()
    },
  }
}
