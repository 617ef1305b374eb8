import { type Clock, within } from '@headrace/core'
import type { Delivery, QueueDriver } from '../driver.ts'

const callMs = 10_000
/** With nothing for so long there is nothing, or another consumer has it. */
const quietMs = 500
const credit = 256

/** What waits in the partitions, oldest first in each and at most 256 of each; all of it is given back. */
export async function peek(
  driver: QueueDriver,
  queue: string,
  partitions: number,
  limit: number,
  clock: Clock,
): Promise<readonly Delivery['message'][]> {
  const seen: Delivery['message'][][] = Array.from({ length: partitions }, () => [])
  let last = clock.nowMs()
  let lost: unknown
  const subscriptions = await Promise.all(
    seen.map((messages, partition) =>
      within(
        clock,
        callMs,
        driver.subscribe(queue, partition, {
          credit,
          onDelivery({ message }) {
            messages.push(message)
            last = clock.nowMs()
          },
          onLost(cause) {
            lost ??= cause
          },
        }),
        { what: 'subscribing' },
      ),
    ),
  )
  while (
    lost === undefined &&
    clock.nowMs() - last < quietMs &&
    seen.some((messages) => messages.length < Math.min(limit, credit))
  ) {
    await clock.sleep(20)
  }
  await Promise.all(subscriptions.map((each) => within(clock, callMs, each.close(), { what: 'giving back' })))
  if (lost !== undefined) throw lost
  return seen
    .flat()
    .toSorted((a, b) => a.publishedAtMs - b.publishedAtMs)
    .slice(0, limit)
}
