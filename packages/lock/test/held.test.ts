import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createLocks } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { expect, it } from 'vitest'

it('held never says yes about a lease that is over: 10,000 blocked event loops, suspended machines and set clocks', async () => {
  const random = seededRandom(11)
  const clock = manualClock()
  let skippedMs = 0
  let wallMs = 0
  // Time passes without a timer, as it does for a blocked loop; or on the wall clock only, as for a suspended machine.
  const own = { ...clock, nowMs: () => clock.nowMs() + skippedMs, wallMs: () => clock.wallMs() + skippedMs + wallMs }
  const server = { ...clock, nowMs: () => own.nowMs() + Math.max(0, suspendedMs) }
  let suspendedMs = 0
  const locks = createLocks(memoryLocks({ clock: server }), { clock: own, ttlMs: 1_000 })
  let wrong = 0
  let heldAfterBlock = 0
  for (let n = 0; n < 10_000; n++) {
    const lease = await locks.acquire(`k${n}`)
    const sentMs = server.nowMs()
    if (random.next() < 0.5) skippedMs += random.next() * 2_000
    else {
      const ms = random.next() * 2_000
      wallMs += ms
      suspendedMs += ms
    }
    // Somebody sets the wall clock, back or forth.
    if (random.next() < 0.2) wallMs += random.next() * 3_600_000
    const over = server.nowMs() - sentMs >= 1_000
    if (lease.held && over) wrong++
    if (lease.held) heldAfterBlock++
    await lease.release()
  }
  expect(wrong).toBe(0)
  expect(heldAfterBlock).toBeGreaterThan(2_000)
})

it('a wall clock that was set back does not lengthen a lease', async () => {
  const clock = manualClock()
  let setMs = 0
  let blockedMs = 0
  const own = { ...clock, nowMs: () => clock.nowMs() + blockedMs, wallMs: () => clock.wallMs() + blockedMs + setMs }
  const lease = await createLocks(memoryLocks({ clock: own }), { clock: own, ttlMs: 1_000 }).acquire('k')
  setMs = -3_600_000
  expect(lease.held).toBe(true)
  blockedMs = 1_000
  expect(lease.held).toBe(false)
})
