import { fc, test } from '@fast-check/vitest'
import type { AcquireRequest, Held } from '@headrace/lock'
import { expect } from 'vitest'
import { createLockTable } from '../src/lock-table.ts'

interface Guest extends AcquireRequest {
  state: 'new' | 'queued' | 'held' | 'over'
  /** The end of its patience while it waits, of its ttl while it holds. */
  untilMs: number
  token: bigint
}

/** Who must hold and wait, judged by nothing but requests, answers and notices. */
function witness() {
  let nowMs = 0
  let lastToken = 0n
  /** In the order of arrival. */
  const guests = new Map<string, Guest>()
  const live = (key: string, state: Guest['state']) =>
    [...guests.values()].filter((guest) => guest.key === key && guest.state === state && guest.untilMs > nowMs)

  return {
    nowMs: () => nowMs,
    advance(ms: number) {
      nowMs += ms
    },
    guests,
    arrived: (request: AcquireRequest) =>
      guests.set(request.id, { ...request, state: 'new', untilMs: nowMs + request.waitMs, token: 0n }),
    granted(id: string, { token, tokens = 1 }: Held) {
      const guest = guests.get(id)!
      expect(guest.state, 'only who asked and was not answered yet is granted anything').toMatch(/new|queued/)
      expect(token).toBeGreaterThan(lastToken)
      lastToken = token + BigInt(tokens) - 1n

      const holders = live(guest.key, 'held')
      if (!guest.share || holders.some(({ share }) => !share)) expect(holders, 'exclusive').toEqual([])
      else {
        const taken = holders.reduce((sum, { share }) => sum + share!.weight, guest.share.weight)
        expect(taken).toBeLessThanOrEqual(guest.share.capacity)
      }

      const [first] = live(guest.key, 'queued')
      if (first) expect(id, 'first come, first served').toBe(first.id)
      else expect(guest.state === 'new' || guest.untilMs > nowMs, 'nobody is granted after its patience').toBe(true)
      Object.assign(guest, { state: 'held', untilMs: nowMs + guest.ttlMs, token })
    },
    /** Of a key about which the table was just asked. */
    settled(key: string) {
      if (live(key, 'held').length === 0) expect(live(key, 'queued'), 'nobody waits for a free key').toEqual([])
    },
  }
}

const acquire = fc.record({
  what: fc.constant('acquire' as const),
  key: fc.constantFrom('a', 'b'),
  ttlMs: fc.integer({ min: 1, max: 40 }),
  waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 })),
  tokens: fc.integer({ min: 1, max: 5 }),
  share: fc.option(fc.record({ weight: fc.integer({ min: 1, max: 3 }), capacity: fc.constant(3) }), { nil: undefined }),
})
const other = fc.record({
  what: fc.constantFrom('again', 'renew', 'release', 'release', 'force'),
  /** Which of those who have come so far, from the last. */
  who: fc.nat(5),
  ttlMs: fc.integer({ min: 1, max: 40 }),
  waitMs: fc.integer({ min: 1, max: 60 }),
})
const steps = fc.array(fc.tuple(fc.oneof(acquire, other), fc.nat(12)), { maxLength: 80, size: 'max' })

test.prop([steps], { numRuns: 500 })(
  'whatever is asked when: one exclusive holder, tokens that grow, first come first served, no free key with a line',
  (all) => {
    const seen = witness()
    const { guests, nowMs } = seen
    const table = createLockTable(nowMs, {
      granted: seen.granted,
      lost: (id) => Object.assign(guests.get(id)!, { state: 'over' }),
      asked: () => {},
    })
    for (const [step, pauseMs] of all) {
      seen.advance(pauseMs)
      if (step.what === 'acquire') {
        const { what, ...terms } = step
        const request = { ...terms, id: `s.${guests.size}` }
        seen.arrived(request)
        const answer = table.acquire(request)
        if (answer.state === 'held') seen.granted(request.id, answer)
        else guests.get(request.id)!.state = answer.state === 'queued' ? 'queued' : 'over'
        if (answer.state === 'queued') expect(request.waitMs).toBeGreaterThan(0)
        seen.settled(request.key)
        continue
      }
      const guest = [...guests.values()].at(-1 - step.who)
      if (!guest) continue
      const { key, id, state } = guest
      const { what, ttlMs, waitMs } = step
      const inTime = guest.untilMs > nowMs()
      const holds = state === 'held' && inTime
      if (what === 'again') {
        // A request comes again when its answer was lost, not when it is over.
        if (!holds && !(state === 'queued' && inTime)) continue
        const answer = table.acquire(guest)
        expect(answer.state).toBe(guest.state)
        if (answer.state === 'held') expect(answer.token).toBe(guest.token)
      } else if (what === 'renew') {
        // Who has waited its time out may still have its place or not: both are right.
        if (state === 'queued' && !inTime) continue
        if (state === 'queued') guest.untilMs = nowMs() + waitMs
        const answer = table.renew({ key, id, ttlMs, waitMs })
        if (holds) {
          expect(answer).toMatchObject({ state: 'held', token: guest.token })
          guest.untilMs = nowMs() + ttlMs
        } else if (answer.state === 'gone') guest.state = 'over'
        else expect(answer.state).toBe(guest.state)
      } else if (what === 'release') {
        guest.state = 'over'
        expect(table.release(key, id)).toBe(holds)
      } else if (what === 'force') {
        const holders = [...guests.values()].filter((one) => one.key === key && one.state === 'held')
        expect(table.evict(key, 'force')).toBe(holders.filter(({ untilMs }) => untilMs > nowMs()).length)
        for (const one of holders) expect(one.state === 'over' || one.untilMs <= nowMs()).toBe(true)
      }
      seen.settled(key)
    }
  },
)
