import { Buffer } from 'node:buffer'
import { systemClock } from '@headrace/core'
import type { AsyncMessage, Channel, Envelope } from 'rabbitmq-client'
import { overflowed } from '../consuming/failures.ts'
import type { DeadInfo, Delivery, Park, ParkedKey, Settlement } from '../driver.ts'
import { fromEnvelope, parsed, type StoredMessage, toEnvelope } from './envelope.ts'
import { parkedQueue } from './names.ts'
import { type ParkedContext, parkedMax, prefetchMax, readParked } from './parked-reading.ts'
import { createSure, type Sure, toMarker } from './sure.ts'

/** Why a key is parked: a message of its own behind the parked ones, because those cannot be changed. The last one counts. */
interface Why {
  readonly key: string
  readonly id: string
  readonly because: DeadInfo
}

const whyHeader = 'headrace-why'
const whyOf = ({ headers }: AsyncMessage): Why | undefined => parsed<Why>(headers?.[whyHeader])

/** The parked messages of a partition, in the hands of its active subscription. */
export interface Parked {
  /** Which keys are parked. To be known before anything else is done. */
  keys(): Promise<string[]>
  park(parks: readonly (readonly [StoredMessage, Park])[]): Promise<void>
  unpark(key: string, max: number): Promise<readonly Delivery[]>
  /** Settles those that `unpark` has given out; others are passed over. */
  settle(settlements: readonly Settlement[]): Promise<void>
  close(): Promise<void>
}

/** Those of `unpark` are below zero. */
export const isParkedTag = (tag: number): boolean => tag < 0

/**
 * @param max how many may be parked; over it they go to the dead letters, because a partition must not stand still.
 * @param broken is told when those that were given out are no longer ours.
 */
export function createParked(context: ParkedContext, max: number, broken: (cause: unknown) => void): Parked {
  const { store, bury, queue, partition } = context
  const route = { routingKey: parkedQueue(queue, partition) }
  const given = new Map<number, { readonly deliveryTag: number; readonly message: StoredMessage }>()
  let channel: Channel | undefined
  let closing: Promise<unknown> = Promise.resolve()
  let closed = false
  let sure: Sure | undefined
  let count = 0
  let lastTag = 0

  async function take(key: string, want: number): Promise<readonly Delivery[]> {
    const deliveries: Delivery[] = []
    const see = (received: AsyncMessage, from: Channel) => {
      const why = whyOf(received)
      // It was for a message that is tried again now.
      if (why?.key === key) from.basicAck({ deliveryTag: received.deliveryTag })
      const message = fromEnvelope(received, partition)
      if (why || message.key !== key) return undefined
      const tag = --lastTag
      given.set(tag, { deliveryTag: received.deliveryTag, message })
      // How often a broker has shown it says nothing about how often it was tried.
      deliveries.push({ tag, message, redeliveries: 0 })
      return deliveries.length === want ? 'enough' : undefined
    }
    channel = await readParked(context, see, (cause) => given.size > 0 && broken(cause))
    sure = createSure(channel, prefetchMax, () => store(toMarker(route.routingKey, 'sure')))
    // Nobody else could read them, if it stayed open.
    if (closed || deliveries.length === 0) await giveBack()
    if (closed) throw new Error('the subscription has ended')
    return deliveries
  }

  async function giveBack(): Promise<void> {
    given.clear()
    const open = channel
    channel = undefined
    if (open) closing = finish(open)
    await closing
  }

  async function finish(open: Channel): Promise<void> {
    await sure?.make()
    await open.close()
  }

  /** What has to be stored before it is settled. */
  async function prepare({ tag, dead, park }: Settlement): Promise<void> {
    const message = given.get(tag)?.message
    if (message && dead) await bury(message, dead)
    if (message && park?.because) await store(toWhy(message, park.because))
  }

  function conclude({ tag, park }: Settlement): void {
    const deliveryTag = given.get(tag)?.deliveryTag
    if (!given.delete(tag) || park || !deliveryTag) return
    count--
    channel?.basicAck({ deliveryTag })
    sure?.acknowledged(1)
  }

  const toWhy = ({ id, key }: StoredMessage, because: DeadInfo): [Envelope, Buffer] => {
    const why: Why = { key: key!, id, because }
    const headers = { [whyHeader]: JSON.stringify(why) }
    return [{ ...route, mandatory: true, durable: true, headers }, Buffer.alloc(0)]
  }

  return {
    async keys() {
      const keys = new Set<string>()
      count = 0
      const see = (received: AsyncMessage) => {
        if (whyOf(received)) return undefined
        const { key } = fromEnvelope(received, partition)
        if (key !== undefined) keys.add(key)
        count++
        return undefined
      }
      const reading = await readParked(context, see, () => {})
      await reading.close()
      return [...keys]
    },
    async park(parks) {
      const sent: [Envelope, Buffer][] = []
      for (const [message, { because }] of parks) {
        if (count >= Math.min(max, parkedMax)) {
          await bury(message, because ?? overflowed(0, systemClock.wallMs()))
          continue
        }
        count++
        sent.push(toEnvelope(message, route))
        if (because) sent.push(toWhy(message, because))
      }
      if (sent.length > 0) await store(...sent)
    },
    async unpark(key, want) {
      if (channel) throw new Error('those given out before are not settled')
      return await take(key, want)
    },
    async settle(settlements) {
      await Promise.all(settlements.map(prepare))
      for (const settlement of settlements) conclude(settlement)
      if (given.size === 0) await giveBack()
    },
    async close() {
      closed = true
      await giveBack()
    },
  }
}

export async function listParked(context: ParkedContext): Promise<ParkedKey[]> {
  const { partition } = context
  const found = new Map<string, { readonly id: string; waiting: number; because: DeadInfo | undefined }>()
  const see = (received: AsyncMessage) => {
    const why = whyOf(received)
    const { key = '', id } = why ?? fromEnvelope(received, partition)
    const known = found.get(key)
    if (why) {
      if (known?.id === id) known.because = why.because
    } else if (known) known.waiting++
    else found.set(key, { id, waiting: 1, because: undefined })
    return undefined
  }
  const reading = await readParked(context, see, () => {})
  await reading.close()
  return [...found].map(([key, rest]) => ({ key, partition, ...rest }))
}
