import { mmc } from '@headrace/capacity-math'
import { mmcPriorityWaits, priorityQueue } from '@headrace/capacity-math/queues'
import { constantTime, exponentialTime, simulatePriority } from '@headrace/capacity-math/simulate'
import { customers, expectAgreement, seed, stable, type Witnesses } from '../agreement.ts'

type Discipline = 'nonpreemptive' | 'preemptive-resume'

/** One server, a class of it of constant services. */
function oneServer(discipline: Discipline): () => void {
  return () => {
    const rates = [0.2, 0.3, 0.1]
    const means = [0.8, 1, 1.5]
    const queues = priorityQueue({
      classes: rates.map((lambda, k) => ({ lambda, meanService: means[k]!, scv: k === 1 ? 0 : 1 })),
      discipline,
    })
    const simulated = simulatePriority({
      classes: rates.map((lambda, k) => ({
        arrivals: exponentialTime(1 / lambda),
        service: k === 1 ? constantTime(means[k]!) : exponentialTime(means[k]!),
      })),
      discipline,
      customers,
      seed,
    })
    queues.map(stable).forEach((queue, k) => {
      expectAgreement(`Wq of class ${k}`, simulated[k]!.Wq, queue.Wq)
      expectAgreement(`W of class ${k}`, simulated[k]!.W, queue.W)
      expectAgreement(`pWait of class ${k}`, simulated[k]!.pWait, queue.pWait)
    })
  }
}

function manyServers(discipline: Discipline): () => void {
  return () => {
    const [lambdas, mu, servers] = [[1.2, 0.9, 1.3], 1, 4]
    const waits = mmcPriorityWaits({ lambdas, mu, servers, discipline })
    const simulated = simulatePriority({
      classes: lambdas.map((lambda) => ({ arrivals: exponentialTime(1 / lambda), service: exponentialTime(1 / mu) })),
      servers,
      discipline,
      customers,
      seed,
    })
    waits.forEach((Wq, k) => {
      expectAgreement(`Wq of class ${k}`, simulated[k]!.Wq, Wq)
    })
    // Whoever goes first, the important see only each other where they interrupt, and all of them together are M/M/c.
    const first = stable(mmc({ lambda: 1.2, mu, servers }))
    if (discipline === 'preemptive-resume') expectAgreement('the first alone', simulated[0]!.Wq, first.Wq)
  }
}

/** Classes of different importance. */
export const classWitnesses: Witnesses = {
  priorityQueue: {
    'three classes that do not interrupt': oneServer('nonpreemptive'),
    'three classes that do': oneServer('preemptive-resume'),
  },
  mmcPriorityWaits: {
    'three classes at four servers that do not interrupt': manyServers('nonpreemptive'),
    'three classes at four servers that do': manyServers('preemptive-resume'),
  },
}
