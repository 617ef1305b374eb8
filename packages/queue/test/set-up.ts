import { seededRandom } from '@headrace/core'
import { type ManualClock, manualClock } from '@headrace/core/testing'
import {
  createQueue,
  type Message,
  type PublishOutcome,
  type Queue,
  type QueueDriver,
  type QueueEvent,
  type QueueMessage,
  type QueueOptions,
} from '@headrace/queue'
import { type MemoryQueue, type MemoryQueueOptions, memoryQueue } from '@headrace/queue/memory'

/** A queue of strings on the memory driver, in manual time, with its events recorded. */
export function setUp(
  options: QueueOptions<string> = {},
  memory: MemoryQueueOptions & { readonly wrap?: (driver: MemoryQueue) => QueueDriver } = {},
): SetUp {
  const clock = manualClock()
  const random = seededRandom(1)
  const events: QueueEvent[] = []
  const { wrap = (driver) => driver, ...memoryOptions } = memory
  const driver = memoryQueue({ clock, random, ...memoryOptions })
  const queue = createQueue<string>(wrap(driver), 'orders', {
    clock,
    random,
    observe: (event) => events.push(event),
    ...options,
  })
  const of = <Type extends QueueEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<QueueEvent, { type: Type }> => event.type === type)
  return { clock, driver, queue, events, of }
}

interface SetUp {
  readonly clock: ManualClock
  readonly driver: MemoryQueue
  readonly queue: Queue<string>
  readonly events: readonly QueueEvent[]
  of<Type extends QueueEvent['type']>(type: Type): Extract<QueueEvent, { type: Type }>[]
}

export const bodies = (messages: readonly Message<string>[]): string[] => messages.map((message) => message.body)

/** A promise and its settlers. */
export function deferred<T = void>(): {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: unknown) => void
} {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** What a promise rejects with, or what it resolved to. */
export const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** Messages whose key is the first letter of their body. */
export const keyed = (...names: string[]): { readonly body: string; readonly key: string | undefined }[] =>
  names.map((body) => ({ body, key: body[0] }))

/** A driver whose publish does not answer until told. */
export function held(): Held {
  const calls: Held['calls'][number][] = []
  const wrap = (driver: MemoryQueue) => ({
    ...driver,
    publish(_: string, messages: readonly QueueMessage[]) {
      const { promise, resolve } = deferred<readonly PublishOutcome[]>()
      const answer = (type = 'stored') =>
        resolve(messages.map(() => ({ type, cause: new Error('why') }) as PublishOutcome))
      calls.push({ messages, answer })
      return promise
    },
  })
  return { calls, wrap }
}

interface Held {
  readonly calls: readonly {
    readonly messages: readonly QueueMessage[]
    answer(type?: 'stored' | 'unsent' | 'unknown'): void
  }[]
  wrap(driver: MemoryQueue): QueueDriver & MemoryQueue
}
