import type { Scenario } from '@headrace/balancer/sim'
import { faultCases } from './balancer/faults.ts'
import { fleetCases, scenarioCases } from './balancer/fleets.ts'
import { httpCases } from './balancer/http.ts'
import { pickCases } from './balancer/picks.ts'
import { type Bench, defineBench } from './bench.ts'

const bench: Bench = defineBench({
  about:
    'Balancing: p50 and p99 of real policies in virtual time beside the ideal central queue, what broken endpoints get, the cost of a choice, and real HTTP servers.',
  runs: 3,
  limitMs: 600_000,
  cases: [...fleetCases, ...faultCases, ...pickCases, ...httpCases],
  casesOf: (scenario) => scenarioCases('the scenario', scenario as Scenario),
})

export default bench
