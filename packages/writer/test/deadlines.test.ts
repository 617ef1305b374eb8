import { manualClock } from '@headrace/core/testing'
import { expect, it } from 'vitest'
import { watchDeadlines } from '../src/deadlines.ts'

function setup() {
  const clock = manualClock()
  const expired: [number, number][] = []
  const deadlines = watchDeadlines<{ dueMs: number }>(clock, (entry) => expired.push([entry.dueMs, clock.nowMs()]))
  return { clock, expired, deadlines }
}

it('calls each entry at its time, in whatever order they came', async () => {
  const { clock, expired, deadlines } = setup()
  for (const dueMs of [50, 10, 30, 10]) deadlines.add({ dueMs })
  await clock.advance(100)
  expect(expired).toEqual([
    [10, 10],
    [10, 10],
    [30, 30],
    [50, 50],
  ])
  expect(clock.pending).toBe(0)
})

it('has one timer for all, and none when nobody waits', async () => {
  const { clock, expired, deadlines } = setup()
  const entries = Array.from({ length: 1_000 }, (_, at) => ({ dueMs: 10 + at }))
  for (const entry of entries) deadlines.add(entry)
  expect(clock.pending).toBe(1)
  for (const entry of entries) deadlines.delete(entry)
  expect(clock.pending).toBe(0)
  await clock.advance(2_000)
  expect(expired).toEqual([])
})

it('finds the next deadline when the earliest was deleted', async () => {
  const { clock, expired, deadlines } = setup()
  const first = { dueMs: 10 }
  deadlines.add(first)
  deadlines.add({ dueMs: 40 })
  deadlines.delete(first)
  await clock.advance(100)
  expect(expired).toEqual([[40, 40]])
})
