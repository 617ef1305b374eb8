import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { fc, test } from '@fast-check/vitest'
import { createBalancer, staticEndpoints } from '@headrace/balancer'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { createDeadlines } from '../src/deadlines.ts'

// The flag can be set while running, and a new context then has `gc`.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const forever = () => new Promise<never>(() => {})

describe('the deadlines of calls', () => {
  test.prop([fc.array(fc.record({ afterMs: fc.nat(500), isOverMs: fc.nat(1_000) }), { maxLength: 200 })])(
    'come each at its time and in order, whatever is over before',
    async (calls) => {
      const clock = manualClock()
      const deadlines = createDeadlines(clock)
      const expired: number[] = []
      for (const { afterMs, isOverMs } of calls) {
        const due = {
          dueMs: afterMs,
          isOpen: true,
          expire() {
            expect(clock.nowMs()).toBe(afterMs)
            expired.push(afterMs)
            end()
          },
        }
        const end = () => {
          due.isOpen = false
          deadlines.over()
        }
        deadlines.add(due)
        if (isOverMs < afterMs) clock.after(isOverMs, end)
      }
      for (let turn = 0; turn < 10; turn++) await clock.advance(50)
      const late = calls.filter(({ afterMs, isOverMs }) => isOverMs >= afterMs).map(({ afterMs }) => afterMs)
      expect(expired).toEqual(late.sort((one, other) => one - other))
      expect(clock.pending).toBe(0)
    },
  )

  it('share one timer, and leave none behind', async () => {
    const clock = manualClock()
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }]), { clock, ejection: false })
    const ends: number[] = []
    const calls = Array.from({ length: 100 }, (_, index) =>
      balancer.call(forever, { deadlineMs: 100 + (index % 7) }).catch(() => ends.push(clock.nowMs())),
    )
    expect(clock.pending).toBe(1)
    await clock.advance(103)
    // Two of the seven deadlines have fifteen calls, the others fourteen.
    expect(ends.length).toBe(58)
    await clock.advance(10)
    await Promise.all(calls)
    expect([ends.length, Math.max(...ends), clock.pending]).toEqual([100, 106, 0])
  })

  it('of what is over are not kept', async () => {
    const clock = manualClock()
    const deadlines = createDeadlines(clock)
    const refs: WeakRef<object>[] = []
    deadlines.add({ dueMs: 1e6, isOpen: true, expire() {} })
    for (let call = 0; call < 1_000; call++) {
      const due = { dueMs: 1e6, isOpen: true, expire() {} }
      refs.push(new WeakRef(due))
      deadlines.add(due)
      due.isOpen = false
      deadlines.over()
    }
    await clock.settle()
    collectGarbage()
    expect(refs.filter((ref) => ref.deref()).length).toBeLessThan(70)
  })
})
