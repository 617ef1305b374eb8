import { type Plan, plan } from '@headrace/capacity-math/plan'
import { batchService, periodicFlush } from '@headrace/capacity-math/queues'
import { exponentialTime, simulateBatchWriter, simulateFlush, simulateQueue } from '@headrace/capacity-math/simulate'
import { customers, expectAgreement, expectShare, seed, stable, type Witnesses } from '../agreement.ts'

function batchWriter(lambda: number, maxBatch: number): () => void {
  return () => {
    const queue = stable(batchService({ lambda, mu: 200, maxBatch }))
    const times = [0.005, 0.02]
    const simulated = simulateBatchWriter({
      arrivals: exponentialTime(1 / lambda),
      commit: exponentialTime(1 / 200),
      maxBatch,
      customers,
      seed,
      times,
    })
    expectAgreement('Wq', simulated.Wq, queue.Wq)
    expectAgreement('W', simulated.W, queue.W)
    expectAgreement('pWait', simulated.pWait, queue.pWait)
    expectAgreement('batch', simulated.meanBatch, queue.meanBatch)
    for (const [k, t] of times.entries()) expectShare(`P(wait > ${t})`, simulated.waitSf[k]!, queue.wait.sf(t))
  }
}

function flush(): void {
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
}

const work = { lambda: 10, meanService: 1, slo: { p: 0.9, wait: 0.5, loss: 0.1 } }

function planned(): Plan {
  const result = plan(work)
  if (!result.feasible) throw new Error(result.reason)
  return result
}

function pool(servers: number, capacity?: number) {
  return simulateQueue({
    arrivals: exponentialTime(1 / work.lambda),
    service: exponentialTime(work.meanService),
    servers,
    ...(capacity === undefined ? {} : { capacity }),
    customers,
    seed,
    times: [work.slo.wait],
  })
}

/** What is served in batches, and the plan of a whole pool. */
export const batchWitnesses: Witnesses = {
  batchService: {
    'up to 8 writes in a commit': batchWriter(900, 8),
    'one write in a commit': batchWriter(140, 1),
  },
  periodicFlush: { 'up to 5 every half second': flush },
  plan: {
    'what it expects of the pool with its bound': () => {
      const { servers, admissionLimit, expected } = planned()
      const { Wq, waitSf, pBlock } = pool(servers, admissionLimit)
      expectAgreement('Wq', Wq, expected.Wq)
      expectAgreement('late', waitSf[0]!, expected.wait.sf(work.slo.wait))
      expectAgreement('lost', pBlock, expected.pBlock)
    },
    'its proof: with so many servers, and with one less': () => {
      const { enough, oneLess } = planned().certificate
      for (const { servers, late } of [enough, oneLess!])
        expectAgreement(`late with ${servers}`, pool(servers).waitSf[0]!, late)
    },
  },
}
