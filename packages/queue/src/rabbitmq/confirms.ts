import type { Buffer } from 'node:buffer'
import { type Clock, systemClock } from '@headrace/core'
import type { Channel, Envelope } from 'rabbitmq-client'
import type { PublishOutcome } from '../driver.ts'
import { nextTurn } from './turn.ts'

/** A channel that has refused is replaced, but not more often than this. */
const renewMs = 1_000

/** A channel in confirm mode, made when it is first used and again when it is gone. */
export interface Confirms {
  /** Waits for the connection, and makes the channel. */
  open(): Promise<void>
  /** The outcome of each message; in the order of the calls. Writes a `correlationId` into each envelope. */
  publish(messages: readonly (readonly [Envelope, Buffer])[]): Promise<PublishOutcome>[]
}

export function createConfirms(open: () => Promise<Channel>, clock: Clock = systemClock): Confirms {
  let opening: Promise<Confirming> | undefined
  /** What came of `opening`: who publishes then has no need to wait for it. */
  let ready: Confirming | undefined
  let sequence = 0

  function confirming(): Promise<Confirming> {
    opening ??= keep(confirmingChannel(open, clock))
    return opening
  }

  function keep(made: Promise<Confirming>): Promise<Confirming> {
    ready = undefined
    const forget = () => {
      if (opening !== made) return
      opening = undefined
      ready = undefined
    }
    // Before anybody else waits for it: those who do come first, and who finds it ready behind them.
    made.then((confirming) => {
      if (!confirming.channel.active) return forget()
      confirming.channel.on('close', forget)
      if (opening === made) ready = confirming
    }, forget)
    return made
  }

  /**
   * RabbitMQ asks a queue once for each channel whether it takes messages, and takes no answer, as while a leader is elected,
   * for a no that lasts as long as the channel (seen with 3.10). So a channel that was refused does not stay. What it has
   * sent is answered before the next one sends, or messages would overtake.
   */
  function renew(refused: Confirming): void {
    if (refused.renewed || clock.nowMs() - refused.madeMs < renewMs) return
    refused.renewed = true
    opening = keep(
      idle(refused).then(() => {
        void refused.channel.close()
        return confirmingChannel(open, clock)
      }),
    )
  }

  async function send(current: Confirming, envelope: Envelope, body: Buffer): Promise<PublishOutcome> {
    const { channel, returned } = current
    if (!channel.active) return { type: 'unsent', cause: new Error('the channel is closed') }
    const correlationId = String(sequence++)
    current.unanswered++
    try {
      envelope.correlationId = correlationId
      await channel.basicPublish(envelope, body)
    } catch (cause) {
      returned.delete(correlationId)
      // A negative confirmation is what an overflow with `reject-publish` looks like. Everything else, also an error with
      // the text of a refusal, may belong to another message: the client gives it to the first that waits.
      if ((cause as { code?: unknown }).code !== 'NACK') return { type: 'unknown', cause }
      renew(current)
      return { type: 'full' }
    } finally {
      current.unanswered--
      if (current.unanswered === 0) for (const wake of current.whenIdle.splice(0)) wake()
    }
    // What cannot be routed is confirmed all the same; the client emits its return in the next turn of the event loop.
    await nextTurn()
    return returned.delete(correlationId) ? unroutable : stored
  }

  return {
    async open() {
      await confirming()
    },
    publish(messages) {
      const current = ready
      if (current) return messages.map(([envelope, body]) => send(current, envelope, body))
      const unsent = (cause: unknown): PublishOutcome => ({ type: 'unsent', cause })
      const opened = confirming()
      return messages.map(([envelope, body]) => opened.then((made) => send(made, envelope, body), unsent))
    },
  }
}

interface Confirming {
  readonly channel: Channel
  /** Correlation ids of messages that no queue has taken. */
  readonly returned: Set<string>
  readonly madeMs: number
  renewed: boolean
  unanswered: number
  readonly whenIdle: (() => void)[]
}

async function confirmingChannel(open: () => Promise<Channel>, clock: Clock): Promise<Confirming> {
  const channel = await open()
  const returned = new Set<string>()
  channel.on('basic.return', ({ correlationId }) => returned.add(correlationId!))
  try {
    await channel.confirmSelect()
  } catch (error) {
    void channel.close()
    throw error
  }
  return { channel, returned, madeMs: clock.nowMs(), renewed: false, unanswered: 0, whenIdle: [] }
}

function idle({ unanswered, whenIdle }: Confirming): Promise<void> {
  return unanswered === 0 ? Promise.resolve() : new Promise((resolve) => whenIdle.push(resolve))
}

const stored: PublishOutcome = Object.freeze({ type: 'stored' })
const unroutable: PublishOutcome = Object.freeze({ type: 'refused', reason: 'the broker has no such queue' })
