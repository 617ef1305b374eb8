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

it('held never lies through 10,000 blocks, renewals, suspensions and steps of the clocks: what says so is the server', async () => {
  const random = seededRandom(12)
  const clock = manualClock()
  let blockedMs = 0
  let suspendedMs = 0
  let setMs = 0
  const own = {
    ...clock,
    nowMs: () => clock.nowMs() + blockedMs,
    wallMs: () => clock.wallMs() + blockedMs + suspendedMs + setMs,
  }
  const driver = memoryLocks({ clock: { ...clock, nowMs: () => own.nowMs() + suspendedMs } })
  const locks = createLocks(driver, { clock: own, ttlMs: 1_000 })
  const observer = createLocks(driver, { clock })
  let lease = await locks.acquire('k')
  // No clock shows a suspension while the wall clock is set back by as much: a lease lives through one or the other.
  let suspends = true
  const said = { held: 0, over: 0, lies: 0, leases: 0 }
  for (let step = 0; step < 10_000; step++) {
    const kind = random.next()
    if (kind < 0.55) await clock.advance(random.next() * 400)
    else if (kind < 0.75) blockedMs += random.next() * 1_500
    else if (!suspends) setMs += (random.next() * 2 - 1) * 3_600_000
    else if (kind < 0.9) suspendedMs += random.next() * 1_500
    else setMs += random.next() * 3_600_000
    const { held } = lease
    const holders = (await observer.inspect('k'))?.holders ?? []
    if (held) said.held++
    else said.over++
    if (held && holders[0]?.token !== lease.token) said.lies++
    if (held) continue
    await lease.release()
    await clock.advance(1_100)
    lease = await locks.acquire('k')
    suspends = random.next() < 0.5
    said.leases++
  }
  expect(said.lies).toBe(0)
  expect(said.held).toBeGreaterThan(4_000)
  expect(said.leases).toBeGreaterThan(500)
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
