import { setTimeout as sleep } from 'node:timers/promises'
import type { QueueDriver } from '@headrace/queue'
import { type RabbitmqQueueOptions, rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { Connection, type ConnectionOptions } from 'rabbitmq-client'
import { afterEach } from 'vitest'

const connections: Connection[] = []

/** Connections of the test that runs; destroyed after it. */
export const opened: readonly Connection[] = connections

afterEach(() => {
  for (const connection of connections.splice(0)) connection.unsafeDestroy()
})

/** A connection that notices soon what a server under faults does. */
export function connect(options: ConnectionOptions & { readonly url?: string }): Connection {
  const connection = new Connection({
    frameMax: 131_072,
    noDelay: true,
    heartbeat: 2,
    retryLow: 50,
    retryHigh: 500,
    ...options,
  })
  connections.push(connection)
  return connection
}

/** A driver with two connections of its own. */
export function driverAt(url: string, options: RabbitmqQueueOptions = {}): QueueDriver {
  return rabbitmqQueue(connect({ url }), { consuming: connect({ url }), ...options })
}

/** Waits for a condition, not for a time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  ms: number = 90_000,
): Promise<void> {
  const end = Date.now() + ms
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`it did not happen within ${ms} ms: ${what}`)
    await sleep(20)
  }
}
