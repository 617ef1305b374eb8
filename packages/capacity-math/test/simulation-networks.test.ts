import { closedNetwork, jackson, mva } from '@headrace/capacity-math/networks'
import { engset, finiteSource, priorityQueue, quorumTime, tandemTime } from '@headrace/capacity-math/queues'
import { powerOfD } from '@headrace/capacity-math/scalability'
import {
  constantTime,
  exponentialTime,
  type Measured,
  seededUniform,
  simulateNetwork,
  simulatePriority,
} from '@headrace/capacity-math/simulate'
import { describe, it, vi } from 'vitest'
import { batchMeans } from '../src/simulate/batch-means.ts'
import { customers, expectAgreement, seed, stable } from './agreement.ts'

// Half a second each on an idle machine.
vi.setConfig({ testTimeout: 60_000 })

describe('classes and networks', () => {
  it.each(['nonpreemptive', 'preemptive-resume'] as const)('%s classes wait as the formulas say', (discipline) => {
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
    queues.forEach((queue, k) => {
      expectAgreement(`Wq of class ${k}`, simulated[k]!.Wq, stable(queue).Wq)
      expectAgreement(`W of class ${k}`, simulated[k]!.W, stable(queue).W)
    })
  })

  it('clients of a lock slow each other down as the finite source says', () => {
    const queue = finiteSource({ clients: 12, thinkTime: 5, serviceTime: 1, servers: 2 })
    const { throughput, L } = simulateNetwork({
      stations: [
        { service: exponentialTime(5), servers: 'delay', routing: [0, 1] },
        { service: exponentialTime(1), servers: 2, routing: [1, 0] },
      ],
      population: 12,
      events: customers,
      seed,
    })
    expectAgreement('throughput', throughput, queue.throughput)
    expectAgreement('L', L[1]!, queue.L)
  })

  it('a closed network is as mean value analysis and convolution say', () => {
    const demands = [0.3, 0.2, 0.5]
    const stations = demands.map((mean, k) => ({
      service: exponentialTime(mean),
      servers: k === 2 ? 2 : 1,
      routing: demands.map((_, j) => Number(j === (k + 1) % 3)),
    }))
    const simulated = simulateNetwork({ stations, population: 6, events: customers, seed })
    const solved = closedNetwork({
      stations: demands.map((service, k) => ({ visits: 1, service, servers: k === 2 ? 2 : 1 })),
      thinkTime: 0,
      population: 6,
    })
    expectAgreement('X', simulated.throughput, solved.X)
    for (const [k, length] of solved.Q.entries()) expectAgreement(`Q of ${k}`, simulated.L[k]!, length)
    const single = simulateNetwork({
      stations: stations.map((it) => ({ ...it, servers: 1 })),
      population: 6,
      events: customers,
      seed,
    })
    expectAgreement('X', single.throughput, mva({ demands, thinkTime: 0, population: 6 }).X)
  })

  it('an open network is as Jackson says', () => {
    const routing = [
      [0, 0.7],
      [0.2, 0],
    ]
    const solved = jackson([
      { arrivals: 1, mu: 2, servers: 1, routing: routing[0]! },
      { arrivals: 0.5, mu: 1, servers: 2, routing: routing[1]! },
    ])
    const { throughput, L } = simulateNetwork({
      stations: [
        { service: exponentialTime(0.5), servers: 1, routing: routing[0]! },
        { service: exponentialTime(1), servers: 2, routing: routing[1]! },
      ],
      arrivals: [exponentialTime(1), exponentialTime(2)],
      events: customers,
      seed,
    })
    expectAgreement('throughput', throughput, 1.5)
    for (const [k, { queue }] of solved.stations.entries()) expectAgreement(`L of ${k}`, L[k]!, stable(queue).L)
  })

  it('a pool of few callers is busy as Engset says', () => {
    // Who finds all servers busy is idle again at once, which is to think again: a delay for each, and a gate before the servers.
    const queue = engset({ lambda: 0.4, mu: 1, servers: 3, sources: 8 })
    const uniform = seededUniform(seed)
    const busyUntil: number[] = []
    const wake = Array.from({ length: 8 }, () => exponentialTime(2.5)(uniform))
    let [arrived, lost] = [0, 0]
    for (let i = 0; i < customers; i++) {
      const now = Math.min(...wake)
      const source = wake.indexOf(now)
      for (let k = busyUntil.length - 1; k >= 0; k--) if (busyUntil[k]! <= now) busyUntil.splice(k, 1)
      arrived += 1
      const blocked = busyUntil.length === 3
      if (blocked) lost += 1
      const end = blocked ? now : now + exponentialTime(1)(uniform)
      if (!blocked) busyUntil.push(end)
      wake[source] = end + exponentialTime(2.5)(uniform)
    }
    const share = lost / arrived
    expectAgreement('pBlock', { mean: share, error: 1.5 * Math.sqrt((share * (1 - share)) / arrived) }, queue.pBlock)
  })
})

describe('sums and orders of times', () => {
  const uniform = seededUniform(seed)
  const shareAbove = (draw: () => number, t: number): Measured => {
    let above = 0
    for (let i = 0; i < customers; i++) above += Number(draw() > t)
    const share = above / customers
    return { mean: share, error: Math.sqrt((share * (1 - share)) / customers) }
  }

  it('three of five answers come as the order statistic says', () => {
    const one = exponentialTime(1)
    const draw = () => [one(uniform), one(uniform), one(uniform), one(uniform), one(uniform)].sort((a, b) => a - b)[2]!
    for (const t of [0.3, 0.8, 2])
      expectAgreement(`P(> ${t})`, shareAbove(draw, t), quorumTime({ k: 3, n: 5, mu: 1 }).sf(t))
  })

  it('stations in a row take the sum of their times', () => {
    const draw = () => exponentialTime(1)(uniform) + exponentialTime(1)(uniform) + exponentialTime(0.25)(uniform)
    for (const t of [1, 2, 5]) expectAgreement(`P(> ${t})`, shareAbove(draw, t), tandemTime([1, 1, 4]).sf(t))
  })
})

it('the shorter of two queues is joined as the law of d choices says', () => {
  // 2,000 servers for infinitely many. Jumps of all of them at one rate, so that every jump sees a random moment.
  const [servers, rho] = [2000, 0.8]
  const uniform = seededUniform(seed)
  const draw = () => Math.floor(uniform() * servers)
  const lengths = new Uint16Array(servers)
  const jumps = 6_000_000
  const number = batchMeans(jumps)
  let inside = 0
  for (let i = -jumps / 2; i < jumps; i++) {
    const [one, other] = [draw(), draw()]
    if (uniform() < rho / (1 + rho)) {
      lengths[lengths[one]! <= lengths[other]! ? one : other]! += 1
      inside += 1
    } else if (lengths[one]! > 0) {
      lengths[one]! -= 1
      inside -= 1
    }
    if (i >= 0) number.add(inside / servers / rho)
  }
  expectAgreement('W', number.result(), powerOfD({ rho, d: 2 }).meanResponse)
})
