import { erlangA, mmc, mmck, type StableQueue } from '@headrace/capacity-math'
import {
  batchService,
  gm1,
  md1,
  md1kBlocking,
  mdc,
  mg1,
  mminf,
  periodicFlush,
  tokenBucketLoss,
} from '@headrace/capacity-math/queues'
import {
  constantTime,
  erlangTime,
  exponentialTime,
  hyperexponentialTime,
  type QueueSimulation,
  simulateBatchWriter,
  simulateFlush,
  simulateQueue,
  simulateTokenBucket,
} from '@headrace/capacity-math/simulate'
import { describe, expect, it, vi } from 'vitest'
import { customers, expectAgreement, expectShare, seed, stable } from './agreement.ts'

// Half a second each on an idle machine.
vi.setConfig({ testTimeout: 60_000 })

describe('first come, first served', () => {
  const rows: [string, StableQueue, Omit<QueueSimulation, 'customers' | 'seed'>][] = [
    [
      'M/M/1',
      stable(mmc({ lambda: 0.7, mu: 1, servers: 1 })),
      { arrivals: exponentialTime(1 / 0.7), service: exponentialTime(1), servers: 1 },
    ],
    [
      'M/M/6',
      stable(mmc({ lambda: 4.5, mu: 1, servers: 6 })),
      { arrivals: exponentialTime(1 / 4.5), service: exponentialTime(1), servers: 6 },
    ],
    [
      'M/M/3/8 in overload',
      mmck({ lambda: 4, mu: 1, servers: 3, capacity: 8 }),
      { arrivals: exponentialTime(1 / 4), service: exponentialTime(1), servers: 3, capacity: 8 },
    ],
    [
      'M/M/1/5',
      mmck({ lambda: 0.8, mu: 1, servers: 1, capacity: 5 }),
      { arrivals: exponentialTime(1 / 0.8), service: exponentialTime(1), servers: 1, capacity: 5 },
    ],
    [
      'M/M/4/4, Erlang B',
      mmck({ lambda: 3, mu: 1, servers: 4, capacity: 4 }),
      { arrivals: exponentialTime(1 / 3), service: exponentialTime(1), servers: 4, capacity: 4 },
    ],
    [
      'M/M/5+M',
      erlangA({ lambda: 5, mu: 1, theta: 0.5, servers: 5 }),
      { arrivals: exponentialTime(1 / 5), service: exponentialTime(1), patience: exponentialTime(2), servers: 5 },
    ],
    [
      'M/M/4+M in overload',
      erlangA({ lambda: 6, mu: 1, theta: 1.5, servers: 4 }),
      { arrivals: exponentialTime(1 / 6), service: exponentialTime(1), patience: exponentialTime(1 / 1.5), servers: 4 },
    ],
    [
      'M/M/∞',
      mminf({ lambda: 6, mu: 1 }),
      { arrivals: exponentialTime(1 / 6), service: exponentialTime(1), servers: 60 },
    ],
    [
      'M/D/1',
      stable(md1({ lambda: 0.7, serviceTime: 1 })),
      { arrivals: exponentialTime(1 / 0.7), service: constantTime(1), servers: 1 },
    ],
    [
      'M/D/5',
      stable(mdc({ lambda: 4, serviceTime: 1, servers: 5 })),
      { arrivals: exponentialTime(1 / 4), service: constantTime(1), servers: 5 },
    ],
    [
      'M/E3/1',
      stable(mg1({ lambda: 0.7, service: { kind: 'erlang', mean: 1, stages: 3 } })),
      { arrivals: exponentialTime(1 / 0.7), service: erlangTime(3, 1), servers: 1 },
    ],
    [
      'M/H2/1',
      stable(mg1({ lambda: 0.6, service: { kind: 'hyperexponential', p: 0.9, mean1: 0.5, mean2: 5.5 } })),
      { arrivals: exponentialTime(1 / 0.6), service: hyperexponentialTime(0.9, 0.5, 5.5), servers: 1 },
    ],
    [
      'D/M/1',
      stable(gm1({ lambda: 0.8, mu: 1, arrivals: { kind: 'deterministic' } })),
      { arrivals: constantTime(1.25), service: exponentialTime(1), servers: 1 },
    ],
    [
      'E2/M/1',
      stable(gm1({ lambda: 0.8, mu: 1, arrivals: { kind: 'erlang', stages: 2 } })),
      { arrivals: erlangTime(2, 1.25), service: exponentialTime(1), servers: 1 },
    ],
  ]

  it.each(rows)('%s agrees with its simulation, distributions included', (name, queue, run) => {
    const times = [0.3, 1, 3.2]
    const simulated = simulateQueue({ ...run, customers, seed, times })
    const poisson = !name.startsWith('D/') && !name.startsWith('E2/')
    if (poisson) expectAgreement('number found', simulated.found, queue.population.mean)
    expectAgreement('W', simulated.W, queue.W)
    if (queue.Wq > 0) {
      expectAgreement('Wq', simulated.Wq, queue.Wq)
      expectAgreement('pWait', simulated.pWait, queue.pWait)
      for (const [k, t] of times.entries()) expectShare(`P(wait > ${t})`, simulated.waitSf[k]!, queue.wait.sf(t))
    }
    times.forEach((t, k) => {
      // A constant service is always longer than what is shorter than it.
      if (queue.response.sf(t) < 1) expectShare(`P(response > ${t})`, simulated.responseSf[k]!, queue.response.sf(t))
    })
    if (queue.pBlock > 0) expectAgreement('pBlock', simulated.pBlock, queue.pBlock)
    if (queue.pAbandon > 0) expectAgreement('pAbandon', simulated.pAbandon, queue.pAbandon)
  })

  it('M/D/1/6 loses what the formula says', () => {
    const { pBlock } = simulateQueue({
      arrivals: exponentialTime(1 / 0.9),
      service: constantTime(1),
      servers: 1,
      capacity: 6,
      customers,
      seed,
    })
    expectAgreement('pBlock', pBlock, md1kBlocking({ lambda: 0.9, serviceTime: 1, capacity: 6 }))
  })

  it.each([
    [0.9, 20],
    [1.3, 4.5],
  ])('a token bucket at %f of its rate and a burst of %f drops what the formula says', (lambda, burst) => {
    const dropped = simulateTokenBucket({ arrivals: exponentialTime(1 / lambda), rate: 1, burst, customers, seed })
    expectAgreement('dropped', dropped, tokenBucketLoss({ lambda, rate: 1, burst }))
  })
})

describe('batches', () => {
  it('the batch writer waits as its one exponential says', () => {
    const queue = stable(batchService({ lambda: 900, mu: 200, maxBatch: 8 }))
    const times = [0.005, 0.02]
    const simulated = simulateBatchWriter({
      arrivals: exponentialTime(1 / 900),
      commit: exponentialTime(1 / 200),
      maxBatch: 8,
      customers,
      seed,
      times,
    })
    expectAgreement('Wq', simulated.Wq, queue.Wq)
    expectAgreement('W', simulated.W, queue.W)
    expectAgreement('pWait', simulated.pWait, queue.pWait)
    expectAgreement('batch', simulated.meanBatch, queue.meanBatch)
    for (const [k, t] of times.entries()) expectShare(`P(wait > ${t})`, simulated.waitSf[k]!, queue.wait.sf(t))
  })

  it('the flush by the clock waits as its chain says', () => {
    const queue = stable(periodicFlush({ lambda: 8, interval: 0.5, maxBatch: 5 }))
    const times = [0.2, 0.7, 1.3]
    const simulated = simulateFlush({
      arrivals: exponentialTime(1 / 8),
      interval: 0.5,
      maxBatch: 5,
      customers,
      seed,
      times,
    })
    expectAgreement('Wq', simulated.Wq, queue.Wq)
    for (const [k, t] of times.entries()) expectShare(`P(wait > ${t})`, simulated.waitSf[k]!, queue.wait.sf(t))
  })
})

it('the same seed gives the same run', () => {
  const run = (of: number) =>
    simulateQueue({
      arrivals: exponentialTime(1),
      service: exponentialTime(0.5),
      servers: 1,
      customers: 1000,
      seed: of,
    })
  expect(run(7)).toEqual(run(7))
  expect(run(8)).not.toEqual(run(7))
})
