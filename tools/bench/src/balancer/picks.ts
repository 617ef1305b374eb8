import {
  type Balancer,
  createBalancer,
  leastLoaded,
  little,
  type Policy,
  rendezvous,
  roundRobin,
  staticEndpoints,
  twoChoices,
} from '@headrace/balancer'
import { type Clock, systemClock } from '@headrace/core'
import HashRing from 'hashring'
import { BalancedPool } from 'undici'
import type { BenchCase, BenchContext, Contestant } from '../bench.ts'
import { callsPerSec, cpuMs } from '../calls-per-sec.ts'
import { type GrpcPick, grpcPicker } from './grpc.ts'

const fleet = (size: number, policy: Policy, clock?: Clock): Balancer =>
  createBalancer(staticEndpoints(Array.from({ length: size }, (_, index) => ({ address: `10.0.0.${index}:80` }))), {
    policy,
    clock,
  })

/** Time goes on as it does with the system's clock, of which two readings are nearly half of a pick and its end. */
const costlessClock = (): Clock => {
  let readings = 0
  return { ...systemClock, nowMs: () => ++readings * 1e-4 }
}

const nsPerCall = (context: BenchContext, work: (index: number) => unknown) => ({
  nsPerCall: 1e9 / callsPerSec(context, work),
})

const inFlight = 64

/** A pick and the end of an earlier one, with 64 in flight. */
const picksOf =
  (size: number, policy: Policy, { keyed = false, clock }: { keyed?: boolean; clock?: Clock } = {}): Contestant =>
  (context) => {
    const balancer = fleet(size, policy, clock)
    const options = Array.from({ length: 1_024 }, (_, index) => (keyed ? { key: `key ${index}` } : {}))
    const open = Array.from({ length: inFlight }, (_, index) => balancer.pick(options[index])!)
    return nsPerCall(context, (index) => {
      const slot = index & (inFlight - 1)
      open[slot]!.done('success')
      const pick = balancer.pick(options[index & 1_023])!
      open[slot] = pick
      return pick
    })
  }

/** The same of the pickers of grpc-js, each with the hooks by which its channel tells it of the call. */
const grpcOf =
  (size: number, config: Parameters<typeof grpcPicker>[1]): Contestant =>
  (context) => {
    const picker = grpcPicker(size, config)
    const open = Array.from({ length: inFlight }, () => picker.pick())
    try {
      return nsPerCall(context, (index): GrpcPick => {
        const slot = index & (inFlight - 1)
        picker.done(open[slot]!)
        const pick = picker.pick()
        open[slot] = pick
        return pick
      })
    } finally {
      picker.close()
    }
  }

// Counts what ends well and what does not, which is the nearest to what ours does.
const outlierDetection = { outlier_detection: { child_policy: [{ round_robin: {} }], success_rate_ejection: {} } }

/** The choice of undici's pool, which it makes for each request; weighted round robin. Private, hence the symbol. */
const pooledOf =
  (size: number): Contestant =>
  async (context) => {
    const pool = new BalancedPool(Array.from({ length: size }, (_, index) => `http://10.0.0.${index}:80`))
    const choose = Object.getOwnPropertySymbols(BalancedPool.prototype).find(
      ({ description }) => description === 'get dispatcher',
    )!
    try {
      return nsPerCall(context, () => (pool as unknown as Record<symbol, () => unknown>)[choose]!())
    } finally {
      await pool.destroy()
    }
  }

/** A key's place on a consistent ring; whoever is there, however busy. */
const ringOf =
  (size: number): Contestant =>
  (context) => {
    const ring = new HashRing(Array.from({ length: size }, (_, index) => `10.0.0.${index}:80`))
    const keys = Array.from({ length: 1_024 }, (_, index) => `key ${index}`)
    return nsPerCall(context, (index) => ring.get(keys[index & 1_023]!))
  }

/** A call after the other, each awaited; after a quarter of the time as warm-up. */
const nsPerAwait = async ({ durationMs, signal }: BenchContext, call: () => Promise<unknown>) => {
  const run = async (untilMs: number) => {
    let calls = 0
    while (cpuMs() < untilMs) {
      signal.throwIfAborted()
      for (let made = 0; made < 100; made++) await call()
      calls += 100
    }
    return calls
  }
  await run(cpuMs() + durationMs / 4)
  const start = cpuMs()
  const calls = await run(start + durationMs)
  return { nsPerCall: ((cpuMs() - start) / calls) * 1e6 }
}

const work = async () => 1

const callOf: Contestant = (context) => {
  const balancer = fleet(100, little())
  return nsPerAwait(context, () => balancer.call(work))
}

const metrics = { nsPerCall: 'ns' }

export const pickCases: readonly BenchCase[] = [
  ...[10, 100, 10_000].map(
    (size): BenchCase => ({
      name: `pick and done, ${size} endpoints`,
      metrics,
      apart: true,
      ours: picksOf(size, little()),
      peers: {
        'little, without the clock': picksOf(size, little(), { clock: costlessClock() }),
        'two choices': picksOf(size, twoChoices()),
        'least loaded': picksOf(size, leastLoaded()),
        'grpc-js round_robin': grpcOf(size, { round_robin: {} }),
        'grpc-js weighted_round_robin': grpcOf(size, { weighted_round_robin: {} }),
        'grpc-js outlier_detection': grpcOf(size, outlierDetection),
        ...(size <= 100 && {
          'round robin': picksOf(size, roundRobin()),
          'undici BalancedPool': pooledOf(size),
          'hashring, with keys': ringOf(size),
          'rendezvous, with keys': picksOf(size, rendezvous(), { keyed: true }),
        }),
      },
    }),
  ),
  {
    name: 'call of work that does nothing, 100 endpoints',
    metrics,
    apart: true,
    ours: callOf,
    peers: { 'the work alone': (context) => nsPerAwait(context, work) },
  },
]
