import type { Buffer } from 'node:buffer'
import { cryptoRandom, randomId, systemClock } from '@headrace/core'
import type { AsyncMessage, Channel, Envelope } from 'rabbitmq-client'
import type { DeadInfo } from '../driver.ts'
import type { StoredMessage } from './envelope.ts'
import { parkedQueue } from './names.ts'
import { markerOf, toMarker } from './sure.ts'

export interface ParkedContext {
  /** A channel for reading. */
  readonly open: () => Promise<Channel>
  /** Stores messages in this order, confirmed. */
  readonly store: (...sent: (readonly [Envelope, Buffer])[]) => Promise<void>
  readonly bury: (message: StoredMessage, dead: DeadInfo) => Promise<void>
  readonly queue: string
  readonly partition: number
}

const markAgainMs = 500

/**
 * How many parked messages there may be. A reader takes all there are, which is at most what a prefetch can say: quorum
 * queues put what is given back behind what was given back before and not taken again, so that one who takes only some of
 * it would change the order.
 */
export const prefetchMax = 65_535
/** The rest is for the reasons, one for each key, and for markers. */
export const parkedMax = 50_000

/**
 * Reads the parked messages of a partition from the oldest on, as far as `see` wants to. The queue has a single active
 * consumer, so that whatever another reader held is back, in its order, when the first message comes; and a marker behind
 * the others says that there are no more. Closing the channel gives back, in their order, those that were not acknowledged.
 * @param broken is told when it ends without that.
 */
export async function readParked(
  { open, store, queue, partition }: ParkedContext,
  see: (received: AsyncMessage, channel: Channel) => 'enough' | undefined,
  broken: (cause: unknown) => void,
): Promise<Channel> {
  const channel = await open()
  const nonce = randomId(cryptoRandom)
  let reading = true
  let cancel = () => {}
  try {
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        reading = false
        cancel()
      }
      const end = () => {
        stop()
        resolve()
      }
      const fail = (cause: unknown) => {
        if (reading) reject(cause)
        else broken(cause)
        stop()
      }
      const mark = async () => {
        await store(toMarker(parkedQueue(queue, partition), nonce))
        if (reading) cancel = systemClock.after(markAgainMs, () => mark().catch(fail))
      }
      const receive = (received: AsyncMessage) => {
        if (!reading) return
        const marker = markerOf(received)
        if (marker === undefined) {
          if (see(received, channel) === 'enough') end()
          return
        }
        // Others were left by readers that had seen enough, or are those of readers that wait, who put there another one.
        channel.basicAck({ deliveryTag: received.deliveryTag })
        if (marker === nonce) end()
      }
      channel.on('close', () => fail(new Error('the channel was closed')))
      channel.on('basic.cancel', (_tag, cause: unknown) => fail(cause))
      const start = async () => {
        await channel.basicQos({ prefetchCount: prefetchMax })
        await channel.basicConsume({ queue: parkedQueue(queue, partition) }, receive)
        await mark()
      }
      start().catch(fail)
    })
    return channel
  } catch (error) {
    void channel.close()
    throw error
  }
}
