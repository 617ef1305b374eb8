import { Buffer } from 'node:buffer'
import { cryptoRandom, randomId } from '@headrace/core'
import type { AsyncMessage, Channel, Envelope } from 'rabbitmq-client'
import type { DeadInfo } from '../driver.ts'
import type { StoredMessage } from './envelope.ts'
import { parkedQueue } from './names.ts'

export interface ParkedContext {
  /** A channel for reading. */
  readonly open: () => Promise<Channel>
  /** Stores messages in this order, confirmed. */
  readonly store: (...sent: (readonly [Envelope, Buffer])[]) => Promise<void>
  readonly bury: (message: StoredMessage, dead: DeadInfo) => Promise<void>
  readonly queue: string
  readonly partition: number
}

const markerHeader = 'headrace-marker'
const empty = Buffer.alloc(0)

/**
 * Reads the parked messages of a partition from the oldest on, as far as `see` wants to. The queue has a single active
 * consumer, so that whatever another reader held is back, in its order, when the first message comes; and a marker behind
 * the others says that there are no more. Closing gives back, in their order, those that were not acknowledged.
 * @param windowMax how many may be looked at; 0 is all of them.
 * @returns whether it has seen all that it wanted.
 */
export async function readParked(
  { open, store, queue, partition }: ParkedContext,
  windowMax: number,
  see: (received: AsyncMessage, channel: Channel) => 'enough' | undefined,
  broken: (cause: unknown) => void,
): Promise<{ readonly channel: Channel; readonly complete: boolean }> {
  const channel = await open()
  const name = parkedQueue(queue, partition)
  const nonce = randomId(cryptoRandom)
  let reading = true
  let seen = 0
  try {
    const complete = await new Promise<boolean>((resolve, reject) => {
      const end = (all: boolean) => {
        reading = false
        resolve(all)
      }
      const fail = (cause: unknown) => {
        if (reading) reject(cause)
        else broken(cause)
        reading = false
      }
      const receive = (received: AsyncMessage) => {
        if (!reading) return
        const marker = received.headers?.[markerHeader]
        if (marker !== undefined) channel.basicAck({ deliveryTag: received.deliveryTag })
        if (marker === nonce) return end(true)
        // One that was left by a reader that was cut short.
        if (marker !== undefined) return
        seen++
        if (see(received, channel) === 'enough') end(true)
        else if (seen === windowMax) end(false)
      }
      channel.on('close', () => fail(new Error('the channel was closed')))
      channel.on('basic.cancel', (_tag, cause: unknown) => fail(cause))
      const start = async () => {
        await channel.basicQos({ prefetchCount: windowMax })
        await channel.basicConsume({ queue: name }, receive)
        await store([{ routingKey: name, mandatory: true, durable: true, headers: { [markerHeader]: nonce } }, empty])
      }
      start().catch(fail)
    })
    return { channel, complete }
  } catch (error) {
    reading = false
    void channel.close()
    throw error
  }
}
