import { manualClock } from '@headrace/core/testing'
import { createLocks } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { expect, it } from 'vitest'

it('a process that starts later gives greater tokens than all that an earlier one gave', async () => {
  const startMs = 1_790_000_000_000
  let last = 0n
  for (const restart of [0, 1, 2]) {
    // Each process starts with an empty table, a millisecond after the one before.
    const clock = manualClock(startMs + restart)
    // However many tokens each grant may take along.
    const locks = createLocks(memoryLocks({ clock }), { clock, handoverMax: 10_000 })
    for (let grant = 0; grant < 20; grant++) {
      await using lease = await locks.acquire('k')
      expect(lease.token).toBeGreaterThan(last)
      last = lease.token
    }
    await locks.close()
  }
})
