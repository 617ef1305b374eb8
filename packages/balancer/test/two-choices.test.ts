import { createBalancer, peakEwma, prequal, staticEndpoints, twoChoices } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

function fleet(policy: ReturnType<typeof twoChoices>, count: number) {
  const clock = manualClock()
  const endpoints = Array.from({ length: count }, (_, index) => ({ address: `${index}` }))
  const balancer = createBalancer(staticEndpoints(endpoints), { policy, clock, random: seededRandom(1) })
  const work = async (id: string, ms: number) => {
    const exclude = new Set(endpoints.map(({ address }) => address).filter((address) => address !== id))
    const pick = balancer.pick({ exclude })!
    await clock.advance(ms)
    pick.done('success')
  }
  const share = (id: string, picks: number) => {
    let count = 0
    for (let index = 0; index < picks; index++) {
      const pick = balancer.pick()!
      if (pick.endpoint.id === id) count++
      pick.done('ignored')
    }
    return count / picks
  }
  return { clock, balancer, work, share }
}

describe('two choices', () => {
  it('compares two different ones: of two, the free one is always chosen', () => {
    const { balancer } = fleet(twoChoices(), 2)
    const busy = balancer.pick()!
    for (let round = 0; round < 100; round++) {
      const pick = balancer.pick()!
      expect(pick.endpoint.id).not.toBe(busy.endpoint.id)
      pick.done('success')
    }
  })

  it('never chooses the busiest of all', () => {
    const { balancer, share } = fleet(twoChoices(), 10)
    const busy = balancer.pick()!
    expect(share(busy.endpoint.id, 500)).toBe(0)
  })
})

describe('peak EWMA', () => {
  it('leaves one that was slow once, and comes back as its latency is forgotten', async () => {
    const { clock, work, share } = fleet(peakEwma(), 2)
    for (let round = 0; round < 5; round++) for (const id of ['0', '1']) await work(id, 10)
    await work('0', 500)
    expect(share('0', 100)).toBe(0)
    // Two time constants later the other one, which was asked all the time, is still at 10 ms.
    for (let second = 0; second < 120; second++) await work('1', 1_000)
    await clock.advance(0)
    expect(share('0', 100)).toBe(1)
  })
})

describe('the hot-cold rule', () => {
  it('takes the fastest of those that are not busier than the others', async () => {
    const { work, share } = fleet(prequal(), 4)
    for (let round = 0; round < 20; round++) for (const id of ['0', '1', '2', '3']) await work(id, id === '2' ? 5 : 20)
    expect(share('2', 50)).toBe(1)
  })

  it('takes the least busy where one is much busier', async () => {
    const { balancer, work } = fleet(prequal(), 4)
    for (let round = 0; round < 20; round++) for (const id of ['0', '1', '2', '3']) await work(id, id === '2' ? 5 : 20)
    for (let held = 0; held < 3; held++) balancer.pick({ exclude: new Set(['0', '1', '3']) })
    expect(balancer.pick()!.endpoint.id).not.toBe('2')
  })
})
