import assert from 'node:assert/strict'
import type {
  DeadInfo,
  Delivery,
  PublishOutcome,
  QueueDeclaration,
  QueueDriver,
  QueueMessage,
  Subscription,
} from '../driver.ts'

/** What the suite needs of a backend. */
export interface QueueSubject {
  readonly driver: QueueDriver
  /** Another connection to the same backend; where there is none, `driver` itself. */
  readonly peer: QueueDriver
  /** Lets that much time pass, for the driver and in the world. */
  elapse(ms: number): Promise<void>
  /** Ends the connection of `driver` without a goodbye, as a crash does. @returns a driver that has connected anew. */
  crash(): Promise<QueueDriver>
}

// Every rule has its own queue, also where rules share a broker that still knows the last run.
let made = 0

/** A fresh, declared queue of the subject, with short words for what the rules do to it. */
export async function freshQueue(
  subject: QueueSubject,
  options: Partial<Omit<QueueDeclaration, 'name'>> = {},
): Promise<TestQueue> {
  const { partitions = 2, depthMax = 10_000 } = options
  const name = `rule-${process.pid}-${Date.now().toString(36)}-${made++}`
  for (const driver of new Set([subject.driver, subject.peer])) {
    assert.deepEqual(await driver.declare({ ...options, name, partitions, depthMax }), [])
  }
  return testQueue(subject, name)
}

export interface TestQueue {
  readonly name: string
  publish(...messages: readonly QueueMessage[]): Promise<readonly PublishOutcome[]>
  /** One call for each: what a driver takes in one call it may deliver again as a whole. */
  publishEach(...messages: readonly QueueMessage[]): Promise<void>
  subscribe(options?: { driver?: QueueDriver; partition?: number; credit?: number }): Promise<Collected>
  /** Waits until `condition` holds, for some seconds. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>
  /** Long enough for what should not happen to happen. */
  quiet(): Promise<void>
}

/** A subscription and everything that it was given. */
export interface Collected {
  readonly deliveries: readonly Delivery[]
  readonly ids: readonly string[]
  readonly lost: readonly unknown[]
  /** Keys that it was told are parked, and how many deliveries it had by then. */
  readonly parked: readonly { readonly key: string; readonly after: number }[]
  /** Waits for `count` deliveries in all. */
  received(count: number): Promise<void>
  /** Settles the delivery at `index`. */
  settle(index: number, dead?: DeadInfo): Promise<void>
  readonly subscription: Subscription
}

export function testQueue(subject: QueueSubject, name: string): TestQueue {
  const until = async (what: string, condition: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await condition()); tries++) {
      assert.ok(tries < 400, `it did not happen: ${what}`)
      await subject.elapse(10)
    }
  }
  return {
    name,
    until,
    quiet: () => subject.elapse(150),
    async publish(...messages) {
      const outcomes = await Promise.all(await subject.driver.publish(name, messages))
      assert.equal(outcomes.length, messages.length, 'one outcome for each message')
      return outcomes
    },
    async publishEach(...messages) {
      for (const message of messages) {
        const [outcome] = await Promise.all(await subject.driver.publish(name, [message]))
        assert.equal(outcome?.type, 'stored')
      }
    },
    async subscribe({ driver = subject.driver, partition = 0, credit = 100 } = {}) {
      const deliveries: Delivery[] = []
      const lost: unknown[] = []
      const parked: { key: string; after: number }[] = []
      const subscription = await driver.subscribe(name, partition, {
        credit,
        onDelivery: (delivery) => deliveries.push(delivery),
        onParked: (keys) => parked.push(...keys.map((key) => ({ key, after: deliveries.length }))),
        onLost: (cause) => lost.push(cause),
      })
      return {
        deliveries,
        lost,
        parked,
        subscription,
        get ids() {
          return deliveries.map((delivery) => delivery.message.id)
        },
        received: (count) => until(`${count} deliveries`, () => deliveries.length >= count),
        settle: (index, dead) => subscription.settle([{ tag: deliveries[index]!.tag, dead }]),
      }
    },
  }
}

export function message(id: string, overrides: Partial<QueueMessage> = {}): QueueMessage {
  return {
    id,
    key: 'k',
    partition: 0,
    payload: `"${id}"`,
    headers: {},
    publishedAtMs: 1_767_225_600_000,
    delayMs: 0,
    ...overrides,
  }
}

/** Messages whose ids are the letters of `ids`. */
export function messages(ids: string, overrides: Partial<QueueMessage> = {}): QueueMessage[] {
  return [...ids].map((id) => message(id, overrides))
}

export const deadInfo: DeadInfo = {
  reason: 'rejected',
  error: 'Error: "no" ✗',
  attempts: 3,
  deadAtMs: 1_767_225_600_123,
}
