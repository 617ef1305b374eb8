import { erlangC, minServersForWait, poissonCdf } from '@headrace/capacity-math'
import { plan } from '@headrace/capacity-math/plan'
import { type Bench, defineBench } from './bench.ts'
import { errorMetrics, errors, peerFunctions, poissonFunctions } from './capacity-math/accuracy.ts'
import { flowEvents } from './capacity-math/monitor.ts'
import { recursionC, scanForWait } from './capacity-math/recursions.ts'
import { nanoseconds } from './capacity-math/timing.ts'

const perCall = { nsPerCall: 'ns' }

const cdf = (mean: number) => ({
  name: `Poisson cdf at a mean of ${mean}`,
  metrics: perCall,
  // Around the mean, where no method is spared.
  ours: nanoseconds((i) => poissonCdf(mean - 2 + (i % 5), mean)),
  peers: Object.fromEntries(
    Object.entries(peerFunctions)
      .filter(([, { kMax = Number.POSITIVE_INFINITY }]) => mean < kMax)
      .map(([name, { cdf: of }]) => [name, nanoseconds((i) => of(mean - 2 + (i % 5), mean))]),
  ),
})

const erlang = (servers: number) => ({
  name: `Erlang C of ${servers} servers`,
  metrics: perCall,
  ours: nanoseconds((i) => erlangC({ servers, load: servers * (0.9 + (i % 5) / 100) })),
  peers: { recursion: nanoseconds((i) => recursionC(servers, servers * (0.9 + (i % 5) / 100))) },
})

const staffing = (load: number, scan: boolean) => ({
  name: `fewest servers for ${load} erlangs`,
  metrics: perCall,
  ours: nanoseconds((i) => minServersForWait({ load: load + (i % 5), pWait: 0.01 })),
  peers: scan ? { 'scan with the recursion': nanoseconds((i) => scanForWait(load + (i % 5), 0.01)) } : {},
})

const bench: Bench = defineBench({
  about:
    'capacity-math beside what npm has: relative errors against 40-digit values, and nanoseconds per call. An error of 1 stands for NaN, infinity, or worse.',
  cases: [
    ...poissonFunctions.map((fn) => ({
      name: `accuracy of ${fn}`,
      metrics: errorMetrics,
      ours: () => errors(fn, 'ours'),
      peers: Object.fromEntries(
        Object.keys(peerFunctions)
          .filter((peer) => fn !== 'poissonQuantile' || peerFunctions[peer]!.quantile)
          .map((peer) => [peer, () => errors(fn, peer)]),
      ),
    })),
    cdf(50),
    cdf(5_000),
    cdf(1_000_000),
    erlang(10),
    erlang(1_000),
    erlang(1_000_000),
    staffing(24, true),
    staffing(100_000, true),
    staffing(100_000_000, false),
    { name: 'monitor, one event', metrics: perCall, ours: flowEvents },
    {
      name: 'plan()',
      metrics: perCall,
      ours: nanoseconds((i) =>
        plan({ lambda: 1_200 + (i % 5), meanService: 0.02, slo: { p: 0.99, wait: 0.05, loss: 1e-4 } }),
      ),
    },
  ],
})

export default bench
