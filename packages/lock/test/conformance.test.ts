import { brokenRules, manualClock } from '@headrace/core/testing'
import type { LockDriver } from '@headrace/lock'
import { lockConformance, lockRules } from '@headrace/lock/conformance'
import { memoryLocks } from '@headrace/lock/memory'
import { describe, expect, it } from 'vitest'
import { breakages } from './broken-drivers.ts'

const ttlMs = 400

function fixture(make: (good: LockDriver) => LockDriver = (good) => good) {
  const clock = manualClock()
  const driver = make(memoryLocks({ clock }))
  return { subject: { driver, peer: driver, clock, ttlMs, patienceMs: 30, elapse: (ms: number) => clock.advance(ms) } }
}

describe('memory', () => {
  lockConformance({ test: it, supports: memoryLocks().supports, create: () => fixture() })
})

describe('conformance catches a driver that', () => {
  it.each(breakages)(
    '%s',
    async (_, make, rule) => {
      const only = lockRules.filter(({ name }) => name === rule)
      expect(only).toHaveLength(1)
      expect(await brokenRules(only, { supports: memoryLocks().supports, create: () => fixture(make) })).toEqual([rule])
    },
    15_000,
  )

  it('queues where it said that it does not', async () => {
    const rule = 'a driver without a queue refuses instead of queueing'
    const only = lockRules.filter(({ name }) => name === rule)
    const supports = { ...memoryLocks().supports, queue: 'none' as const }
    expect(await brokenRules(only, { supports, create: () => fixture() })).toEqual([rule])
  })
})

it('a rule for whose ttl the machine was too busy is looked at again', async () => {
  const names = [
    'renew restarts the ttl',
    'who waits gets the key when the ttl of the holder has ended',
    'permits are granted up to the capacity, and each holder is renewed for itself',
  ]
  const rules = lockRules.filter(({ name }) => names.includes(name))
  expect(rules).toHaveLength(names.length)
  const create = () => {
    const { subject } = fixture()
    let pauses = 0
    const busy = { ...subject, elapse: (ms: number) => subject.clock.advance(pauses++ < 2 ? 3 * ms : ms) }
    return { subject: busy }
  }
  expect(await brokenRules(rules, { supports: memoryLocks().supports, create })).toEqual([])
})
