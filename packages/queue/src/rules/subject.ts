import assert from 'node:assert/strict'
import type { DeadInfo, Delivery, PublishOutcome, QueueDriver, QueueMessage, Subscription } from '../driver.ts'

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
  options: { readonly partitions?: number; readonly depthMax?: number } = {},
): Promise<TestQueue> {
  const { partitions = 2, depthMax = 10_000 } = options
  const name = `rule-${process.pid}-${Date.now().toString(36)}-${made++}`
  assert.deepEqual(await subject.driver.declare({ name, partitions, depthMax }), [])
  return testQueue(subject, name)
}

export interface TestQueue {
  readonly name: string
  publish(...messages: readonly QueueMessage[]): Promise<readonly PublishOutcome[]>
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
    async subscribe({ driver = subject.driver, partition = 0, credit = 100 } = {}) {
      const deliveries: Delivery[] = []
      const lost: unknown[] = []
      const subscription = await driver.subscribe(name, partition, {
        credit,
        onDelivery: (delivery) => deliveries.push(delivery),
        onLost: (cause) => lost.push(cause),
      })
      return {
        deliveries,
        lost,
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
