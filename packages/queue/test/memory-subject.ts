import type { Clock } from '@headrace/core'
import { type Fixture, manualClock } from '@headrace/core/testing'
import type { QueueSubject } from '@headrace/queue/conformance'
import type { MemoryQueue } from '@headrace/queue/memory'

/** A memory driver, or a variation of one, in the hands of the conformance suite. */
export function memorySubject(create: (clock: Clock) => MemoryQueue): Fixture<QueueSubject> {
  const clock = manualClock()
  const driver = create(clock)
  return {
    subject: {
      driver,
      peer: driver,
      elapse: (ms) => clock.advance(ms),
      async crash() {
        driver.crashConsumers()
        return driver
      },
    },
    close: () => driver.close(),
  }
}
