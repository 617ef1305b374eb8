import * as core from '@headrace/capacity-math'
import * as estimate from '@headrace/capacity-math/estimate'
import * as networks from '@headrace/capacity-math/networks'
import { plan } from '@headrace/capacity-math/plan'
import * as queues from '@headrace/capacity-math/queues'
import * as scalability from '@headrace/capacity-math/scalability'
import * as stability from '@headrace/capacity-math/stability'

/** One call or more with arguments of any size: `a`, `b` and `c` numbers, `n` and `m` counts, `p` and `q` shares. */
export type Calls = Record<
  string,
  (a: number, b: number, c: number, n: number, m: number, p: number, q: number) => unknown
>

export const cheap: Calls = {
  poisson: (a, _b, _c, n) => [core.poissonPmf(n, a), core.poissonCdf(n, a), core.poissonSf(n, a)],
  poissonLog: (a, _b, _c, n) => [core.poissonLogPmf(n, a), core.poissonLogCdf(n, a), core.poissonLogSf(n, a)],
  poissonQuantile: (a, _b, _c, _n, _m, p) => core.poissonQuantile(p, a),
  poissonIsf: (a, _b, _c, _n, _m, p) => core.poissonIsf(p, a),
  erlangB: (a, b) => core.erlangB({ servers: b, load: a }),
  erlangC: (a, b) => core.erlangC({ servers: b, load: a }),
  logErlangB: (a, b) => core.logErlangB({ servers: b, load: a }),
  logErlangC: (a, b) => core.logErlangC({ servers: b, load: a }),
  minServersForBlocking: (a, _b, _c, _n, _m, p) => core.minServersForBlocking({ load: a, blocking: p }),
  minServersForWait: (a, _b, _c, _n, _m, p) => core.minServersForWait({ load: a, pWait: p }),
  maxLoadForBlocking: (a, _b, _c, _n, _m, p) => core.maxLoadForBlocking({ servers: a, blocking: p }),
  minServersForWaitTail: (a, b, c, _n, _m, p) => core.minServersForWaitTail({ lambda: a, mu: b, t: c, share: p }),
  minServersForMeanWait: (a, b, c) => core.minServersForMeanWait({ lambda: a, mu: b, Wq: c }),
  minServersForResponseTail: (a, b, c, _n, _m, p) =>
    core.minServersForResponseTail({ lambda: a, mu: b, t: c, share: p }),
  halfinWhitt: (a, _b, _c, _n, _m, p) => [core.halfinWhitt(a), core.halfinWhittBeta(p)],
  littlesLaw: (a, b) => [
    core.littlesLaw({ lambda: a, W: b }),
    core.littlesLaw({ L: a, W: b }),
    core.utilizationLaw({ lambda: a, meanService: b }),
  ],
  littlesLawInWindow: (a, b, c, n, m) =>
    core.littlesLawInWindow({ duration: a, L: b, arrivals: n, inFlightAtStart: m, inFlightAtEnd: n, stayMax: c }),
  maxLoadForWait: (a, _b, _c, _n, _m, p) => core.maxLoadForWait({ servers: a, pWait: p }),
  maxRateForWaitTail: (a, b, _c, n, _m, p) => core.maxRateForWaitTail({ mu: a, servers: n, t: b, share: p }),
  maxRateForResponseTail: (a, b, _c, n, _m, p) => core.maxRateForResponseTail({ mu: a, servers: n, t: b, share: p }),
  maxRateForMeanWait: (a, b, _c, n) => core.maxRateForMeanWait({ mu: a, servers: n, Wq: b }),
  mmc: (a, b, _c, n) => core.mmc({ lambda: a, mu: b, servers: n }),
  mmck: (a, b, _c, n, m) => core.mmck({ lambda: a, mu: b, servers: n, capacity: n + m }),
  mmckBlocking: (a, b, _c, n, m) => core.mmckBlocking({ lambda: a, mu: b, servers: n, capacity: n + m }),
  minCapacity: (a, b, _c, n, _m, p) => core.minCapacity({ lambda: a, mu: b, servers: n, blocking: p }),
  erlangA: (a, b, c, n) => core.erlangA({ lambda: a, mu: b, theta: c, servers: n }),
  minServersForAbandonment: (a, b, c, _n, _m, p) =>
    core.minServersForAbandonment({ lambda: a, mu: b, theta: c, pAbandon: p }),
  minServersForServiceLevel: (a, b, c, _n, _m, p, q) =>
    core.minServersForServiceLevel({ lambda: a, mu: b, theta: c, t: q, p }),
  mminf: (a, b) => queues.mminf({ lambda: a, mu: b }),
  gm1: (a, b, _c, n, m) =>
    queues.gm1({
      lambda: a,
      mu: b,
      arrivals:
        m % 3 === 0
          ? { kind: 'deterministic' }
          : m % 3 === 1
            ? { kind: 'erlang', stages: n }
            : { kind: 'hyperexponential', scv: m },
    }),
  ggc: (a, b, c, n, m, _p, q) =>
    queues.ggc({ lambda: a, meanService: b, servers: n, ca2: c, cs2: q, method: m % 2 ? 'whitt' : 'allenCunneen' }),
  kingman: (a, b, c, _n, m, _p, q) =>
    queues.ggc({
      lambda: a,
      meanService: b,
      servers: 1,
      ca2: c,
      cs2: q,
      method: m % 2 ? 'kingman' : 'kramerLangenbachBelz',
    }),
  mg1: (a, b, c) => queues.mg1({ lambda: a, service: { kind: 'general', mean: b, scv: c } }),
  mg1h: (a, b, c, _n, _m, p) => queues.mg1({ lambda: a, service: { kind: 'hyperexponential', p, mean1: b, mean2: c } }),
  batchService: (a, b, _c, n) => queues.batchService({ lambda: a, mu: b, maxBatch: n }),
  minBatch: (a, b, c, _n, _m, p) => queues.minBatch({ lambda: a, mu: b, t: c, share: p }),
  priority: (a, b, c) =>
    queues.priorityQueue({
      classes: [
        { lambda: a, meanService: b, scv: c },
        { lambda: b, meanService: a, scv: 1 },
      ],
      discipline: 'preemptive-resume',
    }),
  mmcPriority: (a, b, c, n, m) =>
    queues.mmcPriorityWaits({
      lambdas: [a, b],
      mu: c,
      servers: n,
      discipline: m % 2 ? 'nonpreemptive' : 'preemptive-resume',
    }),
  quorum: (a, _b, _c, n, m) => queues.quorumTime({ k: Math.min(n, 40), n: Math.min(n + m, 60), mu: a }),
  usl: (a, _b, _c, _n, _m, p, q) => scalability.usl({ lambda: a, sigma: p, kappa: q }),
  zipf: (a, _b, _c, n) => [scalability.zipf({ keys: n, s: a }), scalability.hotKeyLimit({ keys: n, s: 1, hold: a })],
  powerOfD: (_a, _b, _c, n, _m, p) => scalability.powerOfD({ rho: p, d: n }),
  drain: (a, b, c, n) => stability.drain({ backlog: c, lambda: a, mu: b, servers: n }),
  retry: (a, b, c, n, m) =>
    stability.retryStorm({ lambda: a, mu: b, timeout: c, maxRetries: m, servers: Math.min(n, 40) }),
  amplification: (_a, _b, _c, n, _m, p) => stability.retryAmplification({ p, maxRetries: n }),
  safeRetries: (a, b, _c, n) => stability.safeRetries({ lambda: a, mu: b, servers: n }),
  poissonRate: (a, b, _c, n, _m, p) => [
    estimate.poissonRate({ count: n, exposure: a, confidence: p }),
    estimate.poissonRateAnytime({ count: n, exposure: a, confidence: p, expected: b }),
  ],
  closedBounds: (a, b, c, n) => networks.closedBounds({ demands: [a, b], thinkTime: c, population: n }),
  flowMonitor: (a, b, c) => {
    const monitor = estimate.flowMonitor(a)
    monitor.arrive(b)
    monitor.depart(c, b)
    return [monitor.report(c), monitor.overdueAtLeast(c, a)]
  },
  expectedAges: (a, b, c, n) => {
    const queue = core.mmc({ lambda: a, mu: b, servers: n })
    return queue.stable ? estimate.expectedAges({ lambda: c, response: queue.response }) : 0
  },
  trafficEstimator: (a, b, c) => {
    const estimator = estimate.trafficEstimator({ startedAt: 0, window: c })
    for (const at of [a, a + b, a + b + c]) estimator.arrival(at)
    for (const seconds of [a, b, c]) estimator.service(seconds)
    return estimator.report(a + b + 2 * c)
  },
  dispersion: (_a, _b, _c, n, m) => estimate.dispersionTest([n, m, 3]),
  jackson: (a, b, c, n, _m, p) =>
    networks.jackson([
      { arrivals: a, mu: b, servers: n, routing: [0, p] },
      { arrivals: 0, mu: c, servers: 2, routing: [0.5, 0] },
    ]),
  plan: (a, b, c, _n, _m, p) =>
    plan({ lambda: a, meanService: b, slo: { p, wait: c, loss: 0.01 }, retries: { timeout: 1, maxRetries: 2 } }),
  planGeneral: (a, b, c, _n, _m, p, q) =>
    plan({
      lambda: a,
      meanService: b,
      ca2: q,
      cs2: 2,
      slo: { p, response: c },
      observed: { arrivals: 100, services: 50, confidence: 0.9 },
    }),
}

/** Slower, or costlier the larger: with sizes that a caller may have. */
export const dear: Calls = {
  md1: (a, b) => queues.md1({ lambda: a, serviceTime: b }),
  md1k: (a, b, _c, n) => queues.md1kBlocking({ lambda: a, serviceTime: b, capacity: Math.min(n, 300) }),
  tokenBucket: (a, b, c) => queues.tokenBucketLoss({ lambda: a, rate: b, burst: Math.min(c, 300) }),
  mdc: (a, b, _c, n) => queues.mdc({ lambda: a, serviceTime: b, servers: Math.min(n, 20) }),
  mg1e: (a, b, _c, n) => queues.mg1({ lambda: a, service: { kind: 'erlang', mean: b, stages: Math.min(n, 8) } }),
  periodicFlush: (a, b, _c, n) => queues.periodicFlush({ lambda: a, interval: b, maxBatch: Math.min(n, 20) }),
  engset: (a, b, _c, n, m) =>
    queues.engset({ lambda: a, mu: b, servers: Math.min(n, 60), sources: Math.min(n + m, 90) }),
  finiteSource: (a, b, _c, n, m) =>
    queues.finiteSource({ clients: Math.min(n, 60), thinkTime: a, serviceTime: b, servers: m }),
  tandem: (a, b, c) => queues.tandemTime([a, b, c]),
  mva: (a, b, c, n) => networks.mva({ demands: [a, b], thinkTime: c, population: Math.min(n, 100) }),
  closedNetwork: (a, b, c, n, m) =>
    networks.closedNetwork({
      stations: [
        { visits: 1, service: a, servers: m },
        { visits: 2, service: b, servers: 'delay' },
      ],
      thinkTime: c,
      population: Math.min(n, 60),
    }),
  mvaMulticlass: (a, b, c, n, m) =>
    networks.mvaMulticlass({
      demands: [
        [a, b],
        [b, c],
      ],
      populations: [Math.min(n, 8), Math.min(m, 8)],
      thinkTimes: [0, a],
      delay: [false, true],
    }),
  timeToOverflow: (a, b, _c, n, m) =>
    stability.timeToOverflow({ lambda: a, mu: b, servers: n, limit: Math.min(m, 100) }),
  fitUsl: (a, b, c) =>
    scalability.fitUsl(
      [
        [1, a],
        [2, b],
        [4, c],
        [8, a],
      ].map(([concurrency, throughput]) => ({ concurrency: concurrency!, throughput: throughput! })),
    ),
}
