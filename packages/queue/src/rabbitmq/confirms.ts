import type { Buffer } from 'node:buffer'
import type { Channel, Envelope } from 'rabbitmq-client'
import type { PublishOutcome } from '../driver.ts'
import { nextTurn } from './turn.ts'

/** A channel in confirm mode, made when it is first used and again when it is gone. */
export interface Confirms {
  /** Waits for the connection, and makes the channel. */
  open(): Promise<void>
  /** The outcome of each message. Calls that overlap keep their order. */
  publish(messages: readonly (readonly [Envelope, Buffer])[]): Promise<readonly Promise<PublishOutcome>[]>
}

export function createConfirms(open: () => Promise<Channel>): Confirms {
  let opening: Promise<Confirming> | undefined
  let sequence = 0

  function confirming(): Promise<Confirming> {
    opening ??= confirmingChannel(open, () => {
      opening = undefined
    }).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  async function send({ channel, returned }: Confirming, envelope: Envelope, body: Buffer): Promise<PublishOutcome> {
    if (!channel.active) return { type: 'unsent', cause: new Error('the channel is closed') }
    const correlationId = String(sequence++)
    try {
      await channel.basicPublish({ ...envelope, correlationId }, body)
    } catch (cause) {
      returned.delete(correlationId)
      // A negative confirmation is what an overflow with `reject-publish` looks like. Everything else, also an error with
      // the text of a refusal, may belong to another message: the client gives it to the first that waits.
      return (cause as { code?: unknown }).code === 'NACK' ? { type: 'full' } : { type: 'unknown', cause }
    }
    // What cannot be routed is confirmed all the same; the client emits its return in the next turn of the event loop.
    await nextTurn()
    return returned.delete(correlationId) ? unroutable : stored
  }

  return {
    async open() {
      await confirming()
    },
    async publish(messages) {
      try {
        const current = await confirming()
        return messages.map(([envelope, body]) => send(current, envelope, body))
      } catch (cause) {
        return messages.map(async (): Promise<PublishOutcome> => ({ type: 'unsent', cause }))
      }
    },
  }
}

interface Confirming {
  readonly channel: Channel
  /** Correlation ids of messages that no queue has taken. */
  readonly returned: Set<string>
}

async function confirmingChannel(open: () => Promise<Channel>, gone: () => void): Promise<Confirming> {
  const channel = await open()
  const returned = new Set<string>()
  channel.on('basic.return', ({ correlationId }) => returned.add(correlationId!))
  channel.on('close', gone)
  try {
    await channel.confirmSelect()
  } catch (error) {
    void channel.close()
    throw error
  }
  return { channel, returned }
}

const stored: PublishOutcome = Object.freeze({ type: 'stored' })
const unroutable: PublishOutcome = Object.freeze({ type: 'refused', reason: 'the broker has no such queue' })
