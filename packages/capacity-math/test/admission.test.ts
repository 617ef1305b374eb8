import { fc, test } from '@fast-check/vitest'
import {
  erlangA,
  erlangC,
  maxLoadForWait,
  maxRateForMeanWait,
  maxRateForResponseTail,
  maxRateForWaitTail,
  minServersForMeanWait,
  minServersForResponseTail,
  minServersForWaitTail,
  mmc,
} from '@headrace/capacity-math'
import { ggc, mg1 } from '@headrace/capacity-math/queues'
import { expect, it } from 'vitest'
import { stable } from './agreement.ts'

const servers = fc.integer({ min: 1, max: 500 })
const mu = fc.double({ min: 0.01, max: 100, noNaN: true })
const share = fc.double({ min: 1e-9, max: 0.9, noNaN: true })
const pool = (lambda: number, rate: number, c: number) => stable(mmc({ lambda, mu: rate, servers: c }))

test.prop([fc.double({ min: 1, max: 1e6, noNaN: true }), fc.double({ min: -200, max: -1e-6, noNaN: true })])(
  'the largest load makes just so many wait',
  (c, log) => {
    const pWait = Math.exp(log)
    expect(erlangC({ servers: c, load: maxLoadForWait({ servers: c, pWait }) }) / pWait).toBeCloseTo(1, 6)
  },
)

test.prop([servers, mu, share, fc.double({ min: 0, max: 3, noNaN: true })])(
  'the largest rate leaves just the promised share waiting longer, and its servers are the fewest for it',
  (c, rate, late, patience) => {
    const t = patience / rate
    const lambda = maxRateForWaitTail({ mu: rate, servers: c, t, share: late })
    expect(pool(lambda, rate, c).wait.sf(t) / late).toBeCloseTo(1, 6)
    expect(minServersForWaitTail({ lambda: lambda * (1 - 1e-9), mu: rate, t, share: late })).toBe(c)
    expect(minServersForWaitTail({ lambda: lambda * (1 + 1e-9), mu: rate, t, share: late })).toBe(c + 1)
  },
)

test.prop([servers, mu, share, fc.double({ min: 0.1, max: 30, noNaN: true })])(
  'the same of the response',
  (c, rate, late, patience) => {
    const t = (patience - Math.log(late)) / rate
    const lambda = maxRateForResponseTail({ mu: rate, servers: c, t, share: late })
    expect(pool(lambda, rate, c).response.sf(t) / late).toBeCloseTo(1, 6)
    expect(minServersForResponseTail({ lambda: lambda * (1 - 1e-9), mu: rate, t, share: late })).toBe(c)
  },
)

test.prop([servers, mu, fc.double({ min: 1e-6, max: 1e3, noNaN: true })])(
  'and of the mean wait',
  (c, rate, patience) => {
    const Wq = patience / rate
    const lambda = maxRateForMeanWait({ mu: rate, servers: c, Wq })
    expect(pool(lambda, rate, c).Wq / Wq).toBeCloseTo(1, 6)
    expect(minServersForMeanWait({ lambda: lambda * (1 - 1e-9), mu: rate, Wq })).toBe(c)
  },
)

it('one server makes as many wait as it is busy', () => {
  expect(maxLoadForWait({ servers: 1, pWait: 0.3 })).toBe(0.3)
  expect(maxRateForWaitTail({ mu: 10, servers: 1, t: 0, share: 0.3 })).toBeCloseTo(3, 12)
})

it('what long random searches once found holds: nothing of it is infinite, or NaN', () => {
  // 708 would arrive while one is patient: e^708 is nearly too large for a number.
  const { pAbandon, Lq } = erlangA({ lambda: 1.5, mu: 0.001696693552513208, theta: 0.0021169951165737728, servers: 1 })
  expect(pAbandon).toBeCloseTo(1 - 0.001696693552513208 / 1.5, 12)
  expect(Lq * 0.0021169951165737728).toBeCloseTo(1.5 * pAbandon, 12)
  // A load so small that the states of the stages fall faster than the search for their rate could follow.
  const stages = mg1({ lambda: 0.5, service: { kind: 'erlang', mean: 3.763817987481269e-70, stages: 8 } })
  expect(stable(stages).wait.atomAtZero).toBe(1)
  const rare = { lambda: 8.864897288068147e-82, meanService: 1, servers: 1, ca2: 1, cs2: 1 }
  expect(stable(ggc({ ...rare, method: 'kingman' })).wait.variance).toBeLessThan(Number.MAX_VALUE)
  const sudden = { lambda: 1, meanService: 1 - 6e-16, servers: 1, ca2: 0, cs2: 5e-324 }
  expect(stable(ggc({ ...sudden, method: 'kingman' })).wait.cdf(0)).toBe(1)
})

it('a response that the service alone outlasts is refused', () => {
  expect(() => maxRateForResponseTail({ mu: 1, servers: 9, t: 1, share: 0.1 })).toThrow(
    't must be above 2.3025850929940455, which the service alone exceeds that often, received 1',
  )
  expect(() => maxLoadForWait({ servers: 0.5, pWait: 0.1 })).toThrow('servers must be from 1')
})
