import { expect, it } from 'vitest'
import { type Model, search } from '../src/search.ts'

/** Two counters of one byte, each of which can be increased up to a limit. */
function counters(limit: number, wrong: (a: number, b: number) => boolean = () => false): Model {
  return {
    bytes: 2,
    start: new Uint8Array(2),
    next(state, to) {
      for (const at of [0, 1]) {
        if (state[at]! >= limit) continue
        const next = state.slice()
        next[at]!++
        to(next, at)
      }
    },
    violation: ([a = 0, b = 0]) => (wrong(a, b) ? `${a} and ${b}` : undefined),
    describe: (action, before) => `${action} was ${before[action]}`,
  }
}

it('every state is visited once, however many ways lead to it', () => {
  expect(search(counters(99))).toEqual({ states: 10_000, transitions: 19_800, depth: 198, complete: true })
})

it('states that stand for each other are one', () => {
  const model = { ...counters(99), canonical: (state: Uint8Array) => void state.sort() }
  expect(search(model).states).toBe((100 * 101) / 2)
})

it('a violation comes with a shortest way to it', () => {
  const { violation, complete } = search(counters(9, (a, b) => a === 1 && b === 2))
  expect(complete).toBe(false)
  expect(violation?.what).toBe('1 and 2')
  expect(violation?.trace).toHaveLength(3)
  expect(violation?.trace.at(-1)).toMatch(/^1 was 1|0 was 0$/)
})

it('a start that is wrong already needs no step', () => {
  expect(search(counters(9, () => true)).violation).toEqual({ what: '0 and 0', trace: [] })
})

it('the trace is one from the true start where states stand for each other', () => {
  const model = { ...counters(9, (a, b) => a + b === 4), canonical: (state: Uint8Array) => void state.sort() }
  expect(search(model).violation?.trace).toHaveLength(4)
})

it('gives up at the limit, and says that it is not complete', () => {
  const { complete, states, violation } = search(counters(99), { statesMax: 500 })
  expect([complete, violation]).toEqual([false, undefined])
  expect(states).toBeLessThan(510)
})

it('more states than one chunk holds are kept apart', () => {
  const { states, complete } = search({ ...counters(255), bytes: 3, start: new Uint8Array(3), next: threeBytes })
  expect([states, complete]).toEqual([200_000, true])
})

/** Counts to 200,000 in three bytes. */
function threeBytes(state: Uint8Array, to: (next: Uint8Array, action: number) => void) {
  const value = state[0]! + state[1]! * 256 + state[2]! * 65_536 + 1
  if (value < 200_000) to(Uint8Array.of(value % 256, Math.floor(value / 256) % 256, Math.floor(value / 65_536)), 0)
}
