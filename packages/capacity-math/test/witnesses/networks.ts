import { closedNetwork, jackson, mva, mvaMulticlass } from '@headrace/capacity-math/networks'
import { engset, finiteSource } from '@headrace/capacity-math/queues'
import {
  erlangTime,
  exponentialTime,
  seededUniform,
  simulateNetwork,
  simulateSharing,
} from '@headrace/capacity-math/simulate'
import { batchMeans } from '../../src/simulate/batch-means.ts'
import { eventCalendar } from '../../src/simulate/calendar.ts'
import { customers, expectAgreement, seed, stable, type Witnesses } from '../agreement.ts'

const demands = [0.3, 0.2, 0.5]
const thinkTime = 0.7

/** Clients think at station 0, and go through the others one by one. */
function round(servers: readonly (number | 'delay')[], population: number) {
  const means = [thinkTime, ...demands]
  return simulateNetwork({
    stations: means.map((mean, k) => ({
      service: exponentialTime(mean),
      servers: k === 0 ? 'delay' : servers[k - 1]!,
      routing: means.map((_, j) => Number(j === (k + 1) % means.length)),
    })),
    population,
    events: customers,
    seed,
  })
}

function open(): void {
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
}

function lock(): void {
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
}

/** Two classes with demands of their own, of which one is not even exponential: to those who share a station that is all the same. */
function classes(): void {
  const given = {
    demands: [
      [0.4, 0.1, 0.6],
      [0.1, 0.5, 0.2],
    ],
    populations: [3, 4],
    thinkTimes: [0.5, 2],
    delay: [false, false, true],
  }
  const solved = mvaMulticlass(given)
  const simulated = simulateSharing({
    classes: given.populations.map((population, k) => ({
      population,
      think: exponentialTime(given.thinkTimes[k]!),
      services: given.demands[k]!.map((mean) => (k === 0 ? exponentialTime(mean) : erlangTime(2, mean))),
    })),
    delay: given.delay,
    events: customers,
    seed,
  })
  solved.X.forEach((X, k) => {
    expectAgreement(`X of class ${k}`, simulated.X[k]!, X)
    solved.Q[k]!.forEach((Q, station) => {
      expectAgreement(`Q of class ${k} at ${station}`, simulated.Q[k]![station]!, Q)
    })
  })
}

/** Each source is idle, or served; who finds all servers busy is idle again. */
function pool(): void {
  const [sources, servers] = [8, 3]
  const queue = engset({ lambda: 0.4, mu: 1, servers, sources })
  const uniform = seededUniform(seed)
  const calendar = eventCalendar()
  const idle = exponentialTime(2.5)
  for (let i = 0; i < sources; i++) calendar.schedule(idle(uniform), 0)
  const [blocked, full, busyTime] = [batchMeans(customers / 2), batchMeans(30), batchMeans(30)]
  let [now, busy, arrivals] = [0, 0, 0]
  let [start, whole, part] = [0, 0, 0]
  while (arrivals < customers / 2) {
    const { at, what: served } = calendar.next()
    if (busy === servers) whole += at - now
    part += busy * (at - now)
    now = at
    if (served) busy -= 1
    else {
      blocked.add(Number(busy === servers))
      arrivals += 1
      if (arrivals % Math.floor(customers / 60) === 0) {
        full.add(whole / (now - start))
        busyTime.add(part / (now - start))
        ;[start, whole, part] = [now, 0, 0]
      }
    }
    if (served || busy === servers) calendar.schedule(now + idle(uniform), 0)
    else {
      busy += 1
      calendar.schedule(now + exponentialTime(1)(uniform), 1)
    }
  }
  expectAgreement('pBlock', blocked.result(), queue.pBlock)
  expectAgreement('timeCongestion', full.result(), queue.timeCongestion)
  expectAgreement('L', busyTime.result(), queue.L)
}

/** Open, closed, and of few. */
export const networkWitnesses: Witnesses = {
  jackson: { 'two stations that send work back': open },
  mva: {
    'six clients that think, and three stations': () => {
      const { throughput, L } = round([1, 1, 1], 6)
      const solved = mva({ demands, thinkTime, population: 6 })
      expectAgreement('X', throughput, solved.X)
      for (const [k, Q] of solved.Q.entries()) expectAgreement(`Q of ${k}`, L[k + 1]!, Q)
    },
  },
  closedNetwork: {
    'ten clients, a station of two servers and one that never makes anybody wait': () => {
      const servers = [1, 'delay', 2] as const
      const { throughput, L } = round(servers, 10)
      const stations = demands.map((service, k) => ({ visits: 1, service, servers: servers[k]! }))
      const solved = closedNetwork({ stations, thinkTime, population: 10 })
      expectAgreement('X', throughput, solved.X)
      for (const [k, Q] of solved.Q.entries()) expectAgreement(`Q of ${k}`, L[k + 1]!, Q)
    },
  },
  mvaMulticlass: { 'three of one class and four of another share two stations': classes },
  finiteSource: { 'twelve clients of a pool of two': lock },
  engset: { 'eight sources of a pool of three without a queue': pool },
}
