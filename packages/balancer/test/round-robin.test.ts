import { fc, test } from '@fast-check/vitest'
import { createBalancer, roundRobin, staticEndpoints } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { describe, expect, it } from 'vitest'

const turns = (weights: number[], length: number, seed = 1) => {
  const endpoints = staticEndpoints(weights.map((weight, index) => ({ address: `${index}`, weight })))
  const balancer = createBalancer(endpoints, { policy: roundRobin(), random: seededRandom(seed) })
  return Array.from({ length }, () => Number(balancer.pick()!.endpoint.id))
}

describe('round robin', () => {
  test.prop([fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 }), fc.integer()])(
    'gives each endpoint its weight in every cycle',
    (weights, seed) => {
      const cycle = weights.reduce((sum, weight) => sum + weight)
      const picks = turns(weights, cycle * 3, seed)
      for (let start = 0; start < picks.length; start += cycle) {
        const round = picks.slice(start, start + cycle)
        expect(weights.map((_, index) => round.filter((pick) => pick === index).length)).toEqual(weights)
      }
    },
  )

  it('spreads a heavy endpoint out instead of giving it all its turns at once', () => {
    const picks = turns([5, 1, 1], 7).join('')
    expect(picks).not.toMatch(/000[^0]*00$|^0000|0000/)
  })

  it('does not begin with the same endpoint in every client', () => {
    const firsts = new Set(Array.from({ length: 60 }, (_, seed) => turns([1, 1, 1, 1], 1, seed)[0]))
    expect([...firsts].sort()).toEqual([0, 1, 2, 3])
  })

  it('passes over what is excluded and goes on in turn', () => {
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }, { address: 'b' }, { address: 'c' }]), {
      policy: roundRobin(),
      random: seededRandom(3),
    })
    const picks = Array.from({ length: 10 }, () => balancer.pick({ exclude: new Set(['b']) })!.endpoint.id)
    expect(picks.filter((id) => id === 'a').length).toBe(5)
    expect(picks.filter((id) => id === 'c').length).toBe(5)
    expect(balancer.pick({ exclude: new Set(['a', 'b', 'c']) })).toBeNull()
  })

  it('never picks weight 0, also where all have it', () => {
    expect(turns([0, 1], 3)).toEqual([1, 1, 1])
    const drained = createBalancer(staticEndpoints([{ address: 'a', weight: 0 }]), { policy: roundRobin() })
    expect(drained.pick()).toBeNull()
  })

  it('keeps weights of 1 to 1,000,000 apart', () => {
    expect(turns([1, 1_000_000], 1_000).filter((pick) => pick === 0).length).toBeLessThanOrEqual(1)
  })
})
