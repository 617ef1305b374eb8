import { erlangA, mmc, mmck, type StableQueue } from '@headrace/capacity-math'
import { gm1, md1, mdc, mg1, mminf } from '@headrace/capacity-math/queues'
import {
  constantTime,
  erlangTime,
  exponentialTime,
  hyperexponentialTime,
  type QueueSimulation,
  type SimulatedQueue,
  simulateQueue,
} from '@headrace/capacity-math/simulate'
import { customers, expectAgreement, expectShare, seed, stable, type Witnesses } from '../agreement.ts'

type Run = Omit<QueueSimulation, 'customers' | 'seed'>

const poisson = (lambda: number) => exponentialTime(1 / lambda)
const exponential = exponentialTime(1)

function simulated(run: Run): SimulatedQueue {
  return simulateQueue({ ...run, customers, seed })
}

/** Everything that a queue says, distributions included where they are exact. */
function agrees(queue: StableQueue, run: Run): () => void {
  return () => {
    const times = [0.3, 1, 3.2]
    const { found, W, Wq, pWait, pBlock, pAbandon, waitSf, responseSf } = simulated({ ...run, times })
    // The number in the system is what an arrival finds only where arrivals are Poisson.
    if (run.arrivals !== clock && !queue.assumptions[0]!.includes('pattern'))
      expectAgreement('number found', found, queue.population.mean)
    expectAgreement('W', W, queue.W)
    if (queue.Wq > 0) {
      expectAgreement('Wq', Wq, queue.Wq)
      expectAgreement('pWait', pWait, queue.pWait)
      if (queue.wait.kind === 'exact')
        for (const [k, t] of times.entries()) expectShare(`P(wait > ${t})`, waitSf[k]!, queue.wait.sf(t))
    }
    for (const [k, t] of times.entries()) {
      // A constant service is always longer than what is shorter than it.
      const share = queue.response.sf(t)
      if (share < 1 && queue.response.kind === 'exact') expectShare(`P(response > ${t})`, responseSf[k]!, share)
    }
    if (queue.pBlock > 0) expectAgreement('pBlock', pBlock, queue.pBlock)
    if (queue.pAbandon > 0) expectAgreement('pAbandon', pAbandon, queue.pAbandon)
  }
}

const clock = constantTime(1.25)
const hyperexponential = { kind: 'hyperexponential', p: 0.9, mean1: 0.5, mean2: 5.5 } as const
const twoMoments = { kind: 'general', mean: 1, scv: 1 / 3 } as const
// Two exponentials with balanced means and an scv of 4, as `gm1` has them.
const burstShare = (1 + Math.sqrt(3 / 5)) / 2

/** One line, first come, first served. */
export const lineWitnesses: Witnesses = {
  mmc: {
    'M/M/1': agrees(stable(mmc({ lambda: 0.7, mu: 1, servers: 1 })), {
      arrivals: poisson(0.7),
      service: exponential,
      servers: 1,
    }),
    'M/M/6': agrees(stable(mmc({ lambda: 4.5, mu: 1, servers: 6 })), {
      arrivals: poisson(4.5),
      service: exponential,
      servers: 6,
    }),
  },
  mmck: {
    'M/M/1/5': agrees(mmck({ lambda: 0.8, mu: 1, servers: 1, capacity: 5 }), {
      arrivals: poisson(0.8),
      service: exponential,
      servers: 1,
      capacity: 5,
    }),
    'M/M/3/8 in overload': agrees(mmck({ lambda: 4, mu: 1, servers: 3, capacity: 8 }), {
      arrivals: poisson(4),
      service: exponential,
      servers: 3,
      capacity: 8,
    }),
    'M/M/4/4, without a queue': agrees(mmck({ lambda: 3, mu: 1, servers: 4, capacity: 4 }), {
      arrivals: poisson(3),
      service: exponential,
      servers: 4,
      capacity: 4,
    }),
  },
  erlangA: {
    'M/M/5+M at its load': agrees(erlangA({ lambda: 5, mu: 1, theta: 0.5, servers: 5 }), {
      arrivals: poisson(5),
      service: exponential,
      patience: exponentialTime(2),
      servers: 5,
    }),
    'M/M/4+M in overload': agrees(erlangA({ lambda: 6, mu: 1, theta: 1.5, servers: 4 }), {
      arrivals: poisson(6),
      service: exponential,
      patience: exponentialTime(1 / 1.5),
      servers: 4,
    }),
  },
  mminf: {
    'M/M/∞ as 60 servers for 6 erlangs': agrees(mminf({ lambda: 6, mu: 1 }), {
      arrivals: poisson(6),
      service: exponential,
      servers: 60,
    }),
  },
  md1: {
    'M/D/1': agrees(stable(md1({ lambda: 0.7, serviceTime: 1 })), {
      arrivals: poisson(0.7),
      service: constantTime(1),
      servers: 1,
    }),
  },
  mdc: {
    'M/D/5': agrees(stable(mdc({ lambda: 4, serviceTime: 1, servers: 5 })), {
      arrivals: poisson(4),
      service: constantTime(1),
      servers: 5,
    }),
  },
  mg1: {
    'M/E3/1': agrees(stable(mg1({ lambda: 0.7, service: { kind: 'erlang', mean: 1, stages: 3 } })), {
      arrivals: poisson(0.7),
      service: erlangTime(3, 1),
      servers: 1,
    }),
    'M/H2/1': agrees(stable(mg1({ lambda: 0.6, service: hyperexponential })), {
      arrivals: poisson(0.6),
      service: hyperexponentialTime(0.9, 0.5, 5.5),
      servers: 1,
    }),
    // Uniform from 0 to 2: no kind that it has, and an scv of 1/3.
    'the means of M/G/1 from two moments': agrees(stable(mg1({ lambda: 0.7, service: twoMoments })), {
      arrivals: poisson(0.7),
      service: (uniform) => 2 * uniform(),
      servers: 1,
    }),
  },
  gm1: {
    'D/M/1': agrees(stable(gm1({ lambda: 0.8, mu: 1, arrivals: { kind: 'deterministic' } })), {
      arrivals: clock,
      service: exponential,
      servers: 1,
    }),
    'E2/M/1': agrees(stable(gm1({ lambda: 0.8, mu: 1, arrivals: { kind: 'erlang', stages: 2 } })), {
      arrivals: erlangTime(2, 1.25),
      service: exponential,
      servers: 1,
    }),
    'H2/M/1': agrees(stable(gm1({ lambda: 0.6, mu: 1, arrivals: { kind: 'hyperexponential', scv: 4 } })), {
      arrivals: hyperexponentialTime(burstShare, 1 / 1.2 / burstShare, 1 / 1.2 / (1 - burstShare)),
      service: exponential,
      servers: 1,
    }),
  },
}
