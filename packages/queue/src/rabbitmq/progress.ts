import { Buffer } from 'node:buffer'
import type { Channel, Envelope } from 'rabbitmq-client'
import { begunQueue } from './names.ts'

/** The message of a frame whose handling was begun, and how often. */
export interface Place {
  /** Which frame. */
  readonly frame: string
  readonly place: number
  readonly times: number
}

/** Keeps one place durably, for the frame of a partition that is handled with care. */
export interface Progress {
  read(): Promise<Place | undefined>
  note(place: Place): Promise<void>
}

/**
 * The last place is the only message of a queue that drops its head; it is made with the first frame that needs it.
 * @param store stores a message, confirmed.
 */
export function createProgress(
  open: () => Promise<Channel>,
  store: (envelope: Envelope, body: Buffer) => Promise<void>,
  queue: string,
  partition: number,
): Progress {
  const name = begunQueue(queue, partition)
  return {
    async read() {
      const channel = await open()
      try {
        await channel.queueDeclare({
          queue: name,
          durable: true,
          // Reading gives it back, which must not use it up.
          arguments: { 'x-queue-type': 'quorum', 'x-max-length': 1, 'x-delivery-limit': 2 ** 30 },
        })
        const received = await channel.basicGet({ queue: name })
        return received && placeOf(received.body)
      } finally {
        await channel.close()
      }
    },
    note: (place) =>
      store(
        { routingKey: name, mandatory: true, durable: true, contentType: 'application/vnd.headrace-place+json' },
        Buffer.from(JSON.stringify(place)),
      ),
  }
}

function placeOf(body: unknown): Place | undefined {
  try {
    return JSON.parse(String(body)) as Place
  } catch {
    return undefined
  }
}
