import * as core from '@headrace/capacity-math'
import * as estimate from '@headrace/capacity-math/estimate'
import * as networks from '@headrace/capacity-math/networks'
import * as queues from '@headrace/capacity-math/queues'
import * as scalability from '@headrace/capacity-math/scalability'
import * as stability from '@headrace/capacity-math/stability'

// The oracle's arguments are those of its definitions, so that the table reads them by name without declaring each.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Arguments = any
type Value = (args: Arguments) => number

function stable<Queue extends { readonly stable: boolean }>(queue: Queue): Extract<Queue, { readonly stable: true }> {
  if (!queue.stable) throw new Error(`unstable: ${JSON.stringify(queue)}`)
  return queue as Extract<Queue, { readonly stable: true }>
}

/** What the oracle asks of a queue, by the name that it gives it. */
const fields: Record<string, (queue: core.StableQueue, args: Arguments) => number> = {
  pWait: (queue) => queue.pWait,
  pBlock: (queue) => queue.pBlock,
  pAbandon: (queue) => queue.pAbandon,
  utilization: (queue) => queue.utilization,
  throughput: (queue) => queue.throughput,
  L: (queue) => queue.L,
  Lq: (queue) => queue.Lq,
  W: (queue) => queue.W,
  Wq: (queue) => queue.Wq,
  varWq: (queue) => queue.wait.variance,
  waitSf: (queue, { t }) => queue.wait.sf(t),
  waitQuantile: (queue, { p }) => queue.wait.quantile(p),
  responseSf: (queue, { t }) => queue.response.sf(t),
  responseQuantile: (queue, { p }) => queue.response.quantile(p),
  p0: (queue) => queue.population.pn(0),
  pn: (queue, { n }) => queue.population.pn(n),
  sf: (queue, { n }) => queue.population.sf(n),
}

/** The names `model.field` of the fields that a model has. */
function model(name: string, names: string, solve: (args: Arguments) => core.StableQueue): Record<string, Value> {
  return Object.fromEntries(
    names.split(' ').map((field) => [`${name}.${field}`, (args: Arguments) => fields[field]!(solve(args), args)]),
  )
}

const mm1 = ({ lambda, mu }: Arguments) => stable(core.mmc({ lambda, mu, servers: 1 }))
const mmc = (args: Arguments) => stable(core.mmc(args))
const services = (service: Arguments) =>
  service.kind === 'erlang'
    ? { kind: 'erlang' as const, mean: service.mean, stages: service.k }
    : { ...service, kind: 'hyperexponential' as const }
const mg1 = ({ lambda, meanService, scv, service }: Arguments) =>
  stable(queues.mg1({ lambda, service: service ? services(service) : { kind: 'general', mean: meanService, scv } }))
const gm1 = ({ lambda, mu, arrivals, stages }: Arguments) =>
  stable(queues.gm1({ lambda, mu, arrivals: { kind: arrivals, stages } }))
const ggc =
  (method: queues.GgcMethod): Value =>
  ({ servers = 1, ...args }) =>
    stable(queues.ggc({ ...args, servers, method })).Wq
const engset = ({ servers, sources, load }: Arguments) => queues.engset({ lambda: load, mu: 1, servers, sources })
const law = ({ lambda = 1, sigma, kappa }: Arguments) => scalability.usl({ lambda, sigma, kappa })
const fit = ({ data, constraint }: Arguments) =>
  scalability.fitUsl(
    data.map(([concurrency, throughput]: [number, number]) => ({ concurrency, throughput })),
    { bounds: constraint ? 'physical' : 'none' },
  )
const priority = (discipline: 'nonpreemptive' | 'preemptive-resume', { classes, k }: Arguments) =>
  stable(queues.priorityQueue({ classes, discipline })[k - 1]!)
const closed = ({ stations, ...network }: Arguments) =>
  networks.closedNetwork({
    ...network,
    stations: stations.map((it: Arguments) => ({ ...it, servers: it.servers === 0 ? 'delay' : it.servers })),
  })
const open = ({ gamma, routing, mu, servers }: Arguments) =>
  networks.jackson(
    gamma.map((arrivals: number, i: number) => ({ arrivals, mu: mu[i], servers: servers[i], routing: routing[i] })),
  )
const zipf = ({ n, s }: Arguments) => scalability.zipf({ keys: n, s })

/** The oracle's names beside our functions. */
export const oracleTable: Readonly<Record<string, Value>> = {
  poissonPmf: ({ k, lambda }) => core.poissonPmf(k, lambda),
  poissonLogPmf: ({ k, lambda }) => core.poissonLogPmf(k, lambda),
  poissonCdf: ({ k, lambda }) => core.poissonCdf(k, lambda),
  poissonSf: ({ k, lambda }) => core.poissonSf(k, lambda),
  poissonLogCdf: ({ k, lambda }) => core.poissonLogCdf(k, lambda),
  poissonLogSf: ({ k, lambda }) => core.poissonLogSf(k, lambda),
  poissonQuantile: ({ p, lambda }) => core.poissonQuantile(p, lambda),
  poissonIsf: ({ q, lambda }) => core.poissonIsf(q, lambda),
  'poissonRate.lower': (args) => estimate.poissonRate(args).lower,
  'poissonRate.upper': (args) => estimate.poissonRate(args).upper,
  'dispersion.pValue': ({ counts }) => estimate.dispersionTest(counts).pValue,
  'dispersion.index': ({ counts }) => estimate.dispersionTest(counts).index,
  erlangB: (args) => core.erlangB(args),
  erlangC: (args) => core.erlangC(args),
  logErlangB: (args) => core.logErlangB(args),
  logErlangC: (args) => core.logErlangC(args),
  'erlangB.offeredLoad': (args) => core.maxLoadForBlocking(args),
  'erlangB.minServers': (args) => core.minServersForBlocking(args),
  'erlangC.minServers': (args) => core.minServersForWait(args),
  'mmc.minServersForWait': ({ p, ...args }) => core.minServersForWaitTail({ ...args, share: p }),
  'mmc.minServersForMeanWait': ({ wq, ...args }) => core.minServersForMeanWait({ ...args, Wq: wq }),
  'mmc.minServersForResponse': ({ p, ...args }) => core.minServersForResponseTail({ ...args, share: p }),
  halfinWhitt: ({ beta }) => core.halfinWhitt(beta),
  'halfinWhitt.beta': ({ alpha }) => core.halfinWhittBeta(alpha),
  ...model('mm1', 'L Lq W Wq waitSf waitQuantile responseSf responseQuantile', mm1),
  'mm1.varL': (args) => mm1(args).varL,
  'mm1.drainMean': (args) => stability.drain(args).mean,
  'mm1.drainVar': (args) => stability.drain(args).variance,
  ...model('mmc', 'pWait L Lq W Wq varWq waitSf waitQuantile responseSf responseQuantile p0 pn', mmc),
  'mmc.varLq': (args) => mmc(args).varLq,
  'mmc.timeToOverflow': (args) => stability.timeToOverflow(args),
  ...model('mmck', 'pBlock throughput L Lq W Wq utilization p0 waitSf', core.mmck),
  'mmck.minCapacity': (args) => core.minCapacity(args),
  ...model('mminf', 'pn sf', queues.mminf),
  'mminf.transientMean': ({ t, ...args }) => queues.mminf(args).meanFromEmpty(t),
  ...model('md1', 'Lq Wq waitSf waitQuantile pn', (args) => stable(queues.md1(args))),
  'md1k.pBlock': (args) => queues.md1kBlocking(args),
  ...model('mdc', 'pWait Lq Wq waitSf', (args) => stable(queues.mdc(args))),
  ...model('mg1', 'L Lq W Wq waitSf', mg1),
  'gm1.sigma': (args) => gm1(args).sigma,
  ...model('gm1', 'Wq waitSf', gm1),
  'ggc.kingmanBound': ggc('kingman'),
  'ggc.allenCunneen': ggc('allenCunneen'),
  'ggc.kramerLangenbachBelz': ggc('kramerLangenbachBelz'),
  'ggc.whitt': ggc('whitt'),
  'engset.timeCongestion': (args) => engset(args).timeCongestion,
  'engset.callCongestion': (args) => engset(args).pBlock,
  ...model('finiteSource', 'throughput L Lq W Wq utilization', queues.finiteSource),
  ...model('erlangA', 'pWait pAbandon Lq Wq utilization waitSf', core.erlangA),
  'erlangA.offeredWaitSf': ({ t, ...args }) => core.erlangA(args).offeredWait.sf(t),
  'erlangA.serviceLevel': ({ t, ...args }) => core.erlangA(args).serviceLevel(t),
  'erlangA.minServersForAbandon': ({ p, ...args }) => core.minServersForAbandonment({ ...args, pAbandon: p }),
  'erlangA.minServersForServiceLevel': (args) => core.minServersForServiceLevel(args),
  'usl.throughput': (args) => law(args).throughput(args.n),
  'usl.latency': (args) => law(args).latency(args.n),
  'usl.peakConcurrency': (args) => law(args).peak!.concurrency,
  'usl.peakThroughput': (args) => law(args).peak!.throughput,
  'usl.concurrencyAtThroughput': (args) => law(args).concurrencyAtThroughput(args.x),
  'usl.latencyAtThroughput': (args) => law(args).latencyAtThroughput(args.x),
  'usl.throughputAtLatency': (args) => law(args).throughputAtLatency(args.r),
  'usl.concurrencyAtLatency': (args) => law(args).concurrencyAtLatency(args.r),
  'usl.fit.lambda': (args) => fit(args).lambda,
  'usl.fit.sigma': (args) => fit(args).sigma,
  'usl.fit.kappa': (args) => fit(args).kappa,
  'usl.fit.rss': (args) => fit(args).rss,
  'priority.nonpreemptiveWq': (args) => priority('nonpreemptive', args).Wq,
  'priority.preemptiveW': (args) => priority('preemptive-resume', args).W,
  'priority.mmcNonpreemptiveWq': ({ k, ...args }) => queues.mmcPriorityWaits(args)[k - 1]!,
  'mva.X': (args) => networks.mva(args).X,
  'mva.R': (args) => networks.mva(args).R,
  'mva.Q': (args) => networks.mva(args).Q[args.station]!,
  'mva.U': (args) => networks.mva(args).U[args.station]!,
  'mvaMulti.X': (args) => closed(args).X,
  'mvaMulti.R': (args) => closed(args).R,
  'mvaMulti.Q': (args) => closed(args).Q[args.station]!,
  'mvaMulticlass.X': (args) => networks.mvaMulticlass(args).X[args.cls]!,
  'mvaMulticlass.Q': (args) => networks.mvaMulticlass(args).Q[args.cls]![args.station]!,
  'mvaMulticlass.R': (args) => networks.mvaMulticlass(args).R[args.cls]![args.station]!,
  'jackson.W': (args) => open(args).W!,
  'jackson.L': (args) => open(args).L!,
  'jackson.stationL': (args) => stable(open(args).stations[args.station]!.queue).L,
  'jackson.stationW': (args) => stable(open(args).stations[args.station]!.queue).W,
  'jackson.rate': (args) => open(args).stations[args.station]!.rate,
  ...model('bulk', 'pWait Lq Wq W waitSf', (args) => stable(queues.batchService(args))),
  'bulk.meanBatch': (args) => stable(queues.batchService(args)).meanBatch,
  ...model('flush', 'Wq Lq', (args) => stable(queues.periodicFlush(args))),
  'zipf.harmonic': (args) => zipf(args).harmonic,
  'zipf.share': (args) => zipf(args).share(args.rank),
  'zipf.collision': (args) => zipf(args).collision,
  'zipf.headShare': (args) => zipf(args).headShare(args.top),
  'powerOfD.meanResponse': (args) => scalability.powerOfD(args).meanResponse,
  'quorum.mean': (args) => queues.quorumTime(args).mean,
  'quorum.cdf': (args) => queues.quorumTime(args).cdf(args.t),
  'quorum.quantile': (args) => queues.quorumTime(args).quantile(args.p),
  'retry.amplification': (args) => stability.retryAmplification(args),
  'retry.lowFixedPoint': (args) => stability.retryStorm(args).attempts!,
  'retry.unstableFixedPoint': (args) => stability.retryStorm(args).tippingPoint!,
  'retry.fixedPointCount': (args) => {
    const { attempts, tippingPoint, congested } = stability.retryStorm(args)
    return [attempts, tippingPoint, congested].filter((it) => it !== null).length
  },
  'retry.collapseLoad': (args) => stability.retryStorm({ ...args, lambda: 1e-9 * args.mu }).collapseAt,
  'tokenBucket.loss': (args) => queues.tokenBucketLoss(args),
  'tandem.responseSf': ({ rates, t }) => queues.tandemTime(rates).sf(t),
}
