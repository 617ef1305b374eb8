import { randomBelow, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { expect, it } from 'vitest'
import { createAgenda, type Due } from '../src/agenda.ts'

it('what is due runs at its moment, in order of time, whatever was set, moved and cancelled before', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed)
    const clock = manualClock()
    const agenda = createAgenda(clock)
    const ran: [number, number][] = []
    const expected = new Map<number, number>()
    const all = Array.from(
      { length: 60 },
      (_, n): Due => ({
        atMs: 0,
        place: -1,
        due() {
          ran.push([n, clock.nowMs()])
        },
      }),
    )
    for (let step = 0; step < 400; step++) {
      const n = randomBelow(random, all.length)
      if (random.next() < 0.3) {
        agenda.cancel(all[n]!)
        expected.delete(n)
      } else {
        const atMs = randomBelow(random, 1_000)
        agenda.set(all[n]!, atMs)
        expected.set(n, atMs)
      }
    }
    await clock.advance(1_000)
    expect(new Map(ran)).toEqual(expected)
    expect(ran).toHaveLength(expected.size)
    const times = ran.map(([, atMs]) => atMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    await clock.settle()
    expect(clock.pending).toBe(0)
  }
})

it('one timer serves all, and none is left when nothing is due', async () => {
  const clock = manualClock()
  const agenda = createAgenda(clock)
  const all = Array.from({ length: 100 }, (): Due => ({ atMs: 0, place: -1, due() {} }))
  for (const [n, due] of all.entries()) agenda.set(due, 1_000 - n)
  expect(clock.pending).toBe(1)
  for (const due of all) agenda.cancel(due)
  await clock.settle()
  expect(clock.pending).toBe(0)
})
