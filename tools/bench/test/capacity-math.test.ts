import { erlangC, minServersForWait } from '@headrace/capacity-math'
import { describe, expect, it } from 'vitest'
import { errors, peerFunctions, poissonFunctions } from '../src/capacity-math/accuracy.ts'
import { withBeatList } from '../src/capacity-math/beat-list.ts'
import { recursionC, scanForWait } from '../src/capacity-math/recursions.ts'

describe('what capacity-math is compared with', () => {
  it.each(poissonFunctions)('%s: ours is right everywhere, and each peer is asked the same', (fn) => {
    const ours = errors(fn, 'ours')
    expect(ours['wrongShare']).toBe(0)
    expect(ours['cases']).toBeGreaterThan(0)
    for (const peer of Object.keys(peerFunctions)) expect(errors(fn, peer)['cases']).toBeLessThanOrEqual(ours['cases']!)
  })

  it('the recursions give the same values, only later', () => {
    expect(recursionC(40, 33) / erlangC({ servers: 40, load: 33 })).toBeCloseTo(1, 12)
    expect(scanForWait(120, 0.01)).toBe(minServersForWait({ load: 120, pWait: 0.01 }))
  })
})

describe('the section of the README', () => {
  it('is replaced, and nothing around it', () => {
    const text = withBeatList('before\n<!-- beat list: begin -->\nold\n<!-- beat list: end -->\nafter\n')
    expect(text).toMatch(/^before\n<!-- beat list: begin -->\n\n\| /)
    expect(text).toMatch(/<!-- beat list: end -->\nafter\n$/)
    expect(text).not.toContain('old')
    expect(withBeatList(text)).toBe(text)
  })

  it('must have its place', () => {
    expect(() => withBeatList('no place')).toThrow('README.md must have <!-- beat list: begin -->')
  })
})
