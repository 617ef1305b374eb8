import type { Buffer } from 'node:buffer'
import type { Channel, Envelope } from 'rabbitmq-client'
import type { PublishOutcome } from '../driver.ts'

/** A channel in confirm mode, made when it is first used and again when it is gone. */
export interface Confirms {
  /** Waits for the connection, and makes the channel. */
  open(): Promise<void>
  /** One outcome for each message. Calls that overlap keep their order. */
  publish(messages: readonly (readonly [Envelope, Buffer])[]): Promise<readonly PublishOutcome[]>
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

  return {
    async open() {
      await confirming()
    },
    async publish(messages) {
      let current: Confirming
      try {
        current = await confirming()
      } catch (cause) {
        return messages.map(() => ({ type: 'unsent', cause }))
      }
      const { channel, returned } = current
      const ids: string[] = []
      const outcomes = await Promise.all(
        messages.map(async ([envelope, body]): Promise<PublishOutcome> => {
          const correlationId = String(sequence++)
          ids.push(correlationId)
          if (!channel.active) return { type: 'unsent', cause: new Error('the channel is closed') }
          try {
            await channel.basicPublish({ ...envelope, correlationId }, body)
            return stored
          } catch (cause) {
            // A negative confirmation is what an overflow with `reject-publish` looks like. Everything else, also an error
            // with the text of a refusal, may belong to another message: the client gives it to the first that waits.
            return (cause as { code?: unknown }).code === 'NACK' ? { type: 'full' } : { type: 'unknown', cause }
          }
        }),
      )
      // What cannot be routed is confirmed all the same; the client emits its return one turn of the event loop later.
      await new Promise((resolve) => setImmediate(resolve))
      return outcomes.map((outcome, at) =>
        returned.delete(ids[at]!) && outcome.type === 'stored' ? unroutable : outcome,
      )
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
