import { Buffer } from 'node:buffer'
import { systemClock, within } from '@headrace/core'
import type { AsyncMessage, Channel, Envelope } from 'rabbitmq-client'

const markerHeader = 'headrace-marker'
const empty = Buffer.alloc(0)

/** A message that says nothing, but is stored as others are; whoever finds it throws it away. */
export const toMarker = (queue: string, name: string): [Envelope, Buffer] => [
  { routingKey: queue, mandatory: true, durable: true, headers: { [markerHeader]: name } },
  empty,
]

/** The name of a marker; undefined where it is a message. */
export const markerOf = ({ headers }: AsyncMessage): string | undefined => headers?.[markerHeader] as string | undefined

/** A channel sends a quorum queue no more acknowledgements ahead of its answers, and loses the others when it is closed. */
export const aheadMax = 32
const recentMs = 1_000
const limitMs = 1_000

/** Acknowledgements of a channel that its end may lose. */
export interface Sure {
  /** So many were written. */
  acknowledged(count: number): void
  /** Waits until the queue has them, or so long that it does not matter: what is lost is delivered again. */
  make(): Promise<void>
}

/** @param mark stores a marker in the queue, confirmed: what was sent to it before has been answered then. */
export function createSure(channel: Channel, prefetchCount: number, mark: () => Promise<void>): Sure {
  let recent = 0
  let sinceMs = systemClock.nowMs()

  async function flush(): Promise<void> {
    for (let left = recent; left > 0 && channel.active; left -= aheadMax) {
      // Answered when the broker has read what was written before it.
      await channel.basicQos({ prefetchCount })
      await mark()
    }
  }

  return {
    acknowledged(count) {
      const now = systemClock.nowMs()
      if (now - sinceMs > recentMs) {
        recent = 0
        sinceMs = now
      }
      recent += count
    },
    async make() {
      if (recent > aheadMax && systemClock.nowMs() - sinceMs < 2 * recentMs) {
        await within(systemClock, limitMs, flush()).catch(() => {})
      }
      recent = 0
    },
  }
}
