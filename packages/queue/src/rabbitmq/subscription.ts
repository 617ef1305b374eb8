import type { AsyncMessage, Channel } from 'rabbitmq-client'
import type { DeadInfo, Park, Settlement, Subscriber, Subscription } from '../driver.ts'
import { redeliveriesOf, type StoredMessage } from './envelope.ts'
import { countOf, messagesOf } from './frames.ts'
import { partitionQueue } from './names.ts'
import { isParkedTag, type Parked } from './parked.ts'
import type { Progress } from './progress.ts'
import { createSure, markerOf } from './sure.ts'
import { nextTurn } from './turn.ts'
import { type Care, createUnpacking } from './unpacking.ts'

/** A subscription that has not ended. */
export interface Subscribed {
  readonly queue: string
  /** Messages that have come and are not delivered yet. */
  readonly waiting: number
}

/**
 * A subscription with a channel of its own: closing it gives everything back in order, and an acknowledgement can never
 * reach a channel that did not deliver.
 * @param unsettledMax AMQP messages that the broker may give out ahead; the same for all who consume the queue.
 * @param bury stores a dead letter, confirmed.
 * @param parking makes what keeps the parked messages, where there can be any.
 * @param progress of frames that are handled with care.
 * @param mark stores a marker in the partition, confirmed.
 * @param live has the subscription for as long as it lasts.
 */
export async function subscribe(
  open: () => Promise<Channel>,
  unsettledMax: number,
  bury: (message: StoredMessage, dead: DeadInfo) => Promise<void>,
  live: Set<Subscribed>,
  parking: ((broken: (cause: unknown) => void) => Parked) | undefined,
  progress: Progress,
  mark: () => Promise<void>,
  queue: string,
  partition: number,
  { credit, redeliveriesMax, onDelivery, onParked, onLost }: Subscriber,
): Promise<Subscription> {
  const channel = await open()
  let ended = false

  const stop = () => {
    ended = true
    unpacking.stop()
    live.delete(subscribed)
    void parked?.close().catch(() => {})
  }
  const end = (cause: unknown) => {
    if (ended) return
    stop()
    onLost(cause)
  }
  const giveUp = (cause: unknown) => {
    end(cause)
    void channel.close()
  }
  const sure = createSure(channel, unsettledMax, mark)
  const parked = parking?.(giveUp)
  let told = parked === undefined
  // What comes before it is known which keys are parked; no more than `unsettledMax`.
  const early: AsyncMessage[] = []
  const unpacking = createUnpacking(credit, onDelivery, giveUp, careOf(redeliveriesMax, progress))
  const subscribed: Subscribed = {
    queue,
    get waiting() {
      return unpacking.waiting
    },
  }
  live.add(subscribed)
  channel.on('close', () => end(new Error('the channel was closed')))
  channel.on('basic.cancel', (_tag, cause: unknown) => giveUp(cause))

  /** Tags count up, so one frame can acknowledge all that are below the lowest one still open. */
  function acknowledge(tags: readonly number[]): void {
    const { lowestOpen = Number.POSITIVE_INFINITY } = unpacking
    const below = tags.filter((tag) => tag < lowestOpen)
    if (below.length > 0) channel.basicAck({ deliveryTag: Math.max(...below), multiple: true })
    const above = tags.filter((tag) => tag > lowestOpen)
    for (const tag of above) channel.basicAck({ deliveryTag: tag })
    sure.acknowledged(above.length)
  }

  const receive = (received: AsyncMessage) => {
    if (ended) return
    if (markerOf(received) !== undefined) {
      channel.basicAck({ deliveryTag: received.deliveryTag })
      return
    }
    if (!told) {
      if (early.push(received) === 1) void tell()
      return
    }
    unpacking.add(received.deliveryTag, redeliveriesOf(received), countOf(received), () =>
      messagesOf(received, partition),
    )
  }

  /** With the first delivery we are active, and whoever was before parks nothing any more. */
  async function tell(): Promise<void> {
    try {
      const keys = (await parked?.keys()) ?? []
      if (ended) return
      if (keys.length > 0) onParked?.(keys)
    } catch (cause) {
      giveUp(cause)
      return
    }
    told = true
    for (const received of early.splice(0)) receive(received)
  }

  try {
    await channel.basicQos({ prefetchCount: unsettledMax })
    await channel.basicConsume({ queue: partitionQueue(queue, partition) }, receive)
  } catch (error) {
    stop()
    void channel.close()
    throw error
  }
  return {
    async settle(settlements: readonly Settlement[]) {
      const own = settlements.filter(({ tag }) => !isParkedTag(tag))
      const parks = own.flatMap(({ tag, park }): [StoredMessage, Park][] => {
        const message = park && unpacking.find(tag)
        return message ? [[message, park]] : []
      })
      const burials = own.map(({ tag, dead }) => {
        const message = dead && unpacking.find(tag)
        return message && bury(message, dead)
      })
      await Promise.all([...burials, parked?.park(parks)])
      if (own.length < settlements.length) await parked?.settle(settlements)
      // Deliveries of one read come one by one; waiting a turn lets one frame acknowledge them all.
      await nextTurn()
      if (ended) throw new Error('the subscription has ended')
      // What is acknowledged twice closes the channel, so the broker only hears of tags that are open.
      const done = unpacking.settle(own.map(({ tag }) => tag))
      if (done.length > 0) acknowledge(done)
      unpacking.deliver()
    },
    ...(parked && { unpark: parked.unpark }),
    finish: unpacking.finish,
    async close() {
      stop()
      // Before another one can be active, so that it finds all of them.
      await parked?.close()
      await sure.make()
      await channel.close()
    },
  }
}

/** Half of the redeliveries that a message may have are for the frame, the others for the message that is to blame. */
function careOf(redeliveriesMax: number | undefined, progress: Progress): Care | undefined {
  if (redeliveriesMax === undefined) return undefined
  const from = Math.max(1, Math.floor(redeliveriesMax / 2))
  return { from, base: Math.min(from, redeliveriesMax - 1), progress }
}
