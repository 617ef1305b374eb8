import { fc, test } from '@fast-check/vitest'
import { mmc, mmck } from '@headrace/capacity-math'
import { type Plan, type PlanInput, plan } from '@headrace/capacity-math/plan'
import { describe, expect, it } from 'vitest'

function feasible(input: PlanInput): Plan {
  const result = plan(input)
  if (!result.feasible) throw new Error(result.reason)
  return result
}

const worked: PlanInput = { lambda: 1200, meanService: 0.02, slo: { p: 0.99, wait: 0.05 } }

describe('the worked example of 24 erlangs', () => {
  it('needs 26 servers, and proves that 25 are not enough', () => {
    const { servers, certificate } = feasible(worked)
    expect(servers).toBe(26)
    expect(certificate.enough.late).toBeCloseTo(0.00402, 5)
    expect(certificate.enough.quantile).toBeCloseTo(0.0409, 4)
    expect(certificate.oneLess).toMatchObject({ servers: 25 })
    expect(certificate.oneLess!.quantile).toBeCloseTo(0.0871, 4)
  })

  it('has a rate limit at which the promise is just kept', () => {
    const { rateLimit, servers } = feasible(worked)
    const at = mmc({ lambda: rateLimit, mu: 50, servers })
    if (!at.stable) throw new Error('unstable')
    expect(at.wait.sf(0.05)).toBeCloseTo(0.01, 10)
  })

  it('bounds the queue so that whoever gets in is in time even at three times the load', () => {
    const { servers, queueBound, admissionLimit } = feasible(worked)
    expect(admissionLimit).toBe(servers + queueBound)
    const flooded = mmck({ lambda: 3600, mu: 50, servers, capacity: admissionLimit })
    expect(flooded.wait.sf(0.05)).toBeLessThanOrEqual(0.01)
    const oneMore = mmck({ lambda: 3600, mu: 50, servers, capacity: admissionLimit + 1 })
    expect(oneMore.wait.sf(0.05)).toBeGreaterThan(0.01)
  })

  it('has a rate limit at which as little is lost as was promised, too', () => {
    const { rateLimit, servers, admissionLimit, headroom } = feasible({ ...worked, slo: { ...worked.slo, loss: 1e-4 } })
    const lost = (lambda: number) => mmck({ lambda, mu: 50, servers, capacity: admissionLimit }).pBlock
    expect(lost(rateLimit) / 1e-4).toBeCloseTo(1, 9)
    expect(rateLimit).toBeGreaterThan(1200)
    expect(headroom.perServer).toBeGreaterThan(45)
  })

  it('takes more servers where there are to be more, and then proves nothing of one less', () => {
    const two = feasible({ lambda: 1, meanService: 0.02, serversMin: 2, slo: worked.slo })
    expect(two).toMatchObject({ servers: 2, certificate: { enough: { servers: 2 }, oneLess: null } })
    expect(feasible({ ...worked, serversMin: 26 }).certificate.oneLess).toBeNull()
    expect(feasible({ ...worked, serversMin: 25 })).toEqual({
      ...feasible(worked),
      expected: expect.anything(),
      recovery: expect.anything(),
    })
  })
})

test.prop([
  fc.double({ min: 0.1, max: 5000, noNaN: true }),
  fc.double({ min: 0.5, max: 0.9999, noNaN: true }),
  fc.double({ min: 0.05, max: 20, noNaN: true }),
  fc.boolean(),
])('keeps its promise, and one server less breaks it', (load, p, patience, ofResponse) => {
  const within = ofResponse ? patience + 12 : patience
  const slo = ofResponse ? { p, response: within, loss: 0.05 } : { p, wait: within, loss: 0.05 }
  const { certificate, rateLimit, queueBound } = feasible({ lambda: load, meanService: 1, slo })
  expect(certificate.enough.late).toBeLessThanOrEqual(1 - p)
  expect(certificate.enough.lost).toBeLessThanOrEqual(0.05)
  const less = certificate.oneLess
  if (less) expect(less.late > 1 - p || less.lost > 0.05).toBe(true)
  expect(rateLimit).toBeGreaterThanOrEqual(load * (1 - 1e-9))
  const atLimit = plan({ lambda: rateLimit * (1 - 1e-6), meanService: 1, slo, serversMax: certificate.enough.servers })
  expect(atLimit.feasible).toBe(true)
  expect(queueBound).toBeGreaterThanOrEqual(0)
})

describe('beyond Poisson', () => {
  it('what happens to few that wait long does not change what the others see', () => {
    const { expected } = feasible({ ...worked, ca2: 5000, serversMin: 200 })
    expect(expected.response.quantile(0.5)).toBeCloseTo(0.02 * Math.LN2, 4)
  })

  it('bursts cost servers, and the plan says that it is an approximation', () => {
    const bursty = feasible({ ...worked, ca2: 8, cs2: 2 })
    expect(bursty.servers).toBeGreaterThan(feasible(worked).servers)
    expect(bursty.expected.kind).toBe('approximation')
    expect(feasible(worked).expected.kind).toBe('exact')
  })

  it('not having measured for long costs servers too', () => {
    const { robust } = feasible({ ...worked, observed: { arrivals: 1000, services: 1000, confidence: 0.95 } })
    const longer = feasible({ ...worked, observed: { arrivals: 1e6, services: 1e6, confidence: 0.95 } }).robust!
    expect(robust!.servers).toBeGreaterThan(26)
    expect(longer.servers).toBeLessThan(robust!.servers!)
    expect(robust!.lambda).toBeGreaterThan(1200)
    expect(robust!.meanService).toBeGreaterThan(0.02)
  })
})

describe('what else may happen', () => {
  const { recovery, retry, hotKey, bottleneck, headroom, rateLimit } = feasible({
    ...worked,
    retries: { timeout: 0.2, maxRetries: 3 },
    hotKey: { keys: 1e6, s: 0.99, hold: 0.005 },
  })

  it('names the regime of retries, and how many are safe', () => {
    expect(retry).toMatchObject({ verdict: 'metastable', safeBelow: 325, safeRetries: 0, congested: 4800 })
  })

  it('knows the cap of one hot key, and what gives out first', () => {
    expect(hotKey!.limit).toBeCloseTo(3078, 0)
    expect(bottleneck).toBe('servers')
    expect(feasible({ ...worked, hotKey: { keys: 1e6, s: 0.99, hold: 0.0127 } }).bottleneck).toBe('hot key')
    expect(plan({ ...worked, hotKey: { keys: 1e6, s: 0.99, hold: 0.02 } })).toMatchObject({
      feasible: false,
      bottleneck: 'hot key',
    })
  })

  it('says how long a backlog lasts, and how far the limits are', () => {
    expect(recovery.drainAfter(0.01).mean).toBeCloseTo(12 / 100, 10)
    expect(recovery.meanTimeToOverflow()).toBeGreaterThan(1)
    expect(headroom).toMatchObject({ saturation: 1300, share: rateLimit / 1200 - 1 })
    expect(headroom.perServer).toBeGreaterThan(45)
  })
})

describe('promises that cannot be kept, and arguments', () => {
  it('are answers with the reason', () => {
    expect(plan({ lambda: 10, meanService: 1, slo: { p: 0.99, response: 2 } })).toMatchObject({
      feasible: false,
      bottleneck: 'service time',
    })
    expect(plan({ ...worked, serversMax: 25 })).toEqual({
      feasible: false,
      bottleneck: 'servers',
      reason: '25 servers do not keep 0.99 of the waits within 0.05 s',
    })
  })

  it.each([
    [{ ...worked, lambda: 0 }, 'lambda must be from 1e-12'],
    [{ ...worked, slo: { p: 1, wait: 1 } }, 'slo.p must be above 0 and below 1'],
    [{ ...worked, slo: { p: 0.9, wait: 1, response: 1 } }, 'slo must have either wait or response'],
    [{ ...worked, slo: { p: 0.9 } }, 'slo must have either wait or response'],
    [{ ...worked, serversMax: 0 }, 'serversMax must be from 1'],
    [{ ...worked, serversMin: 9, serversMax: 8 }, 'serversMin must be from 1 to 8'],
    [{ ...worked, observed: { arrivals: 0, services: 1, confidence: 0.9 } }, 'observed.arrivals must be from 1'],
  ])('%j is refused by name', (input, message) => {
    expect(() => plan(input)).toThrow(message)
  })
})
