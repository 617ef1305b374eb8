import { faultCases } from './balancer/faults.ts'
import { fleetCases } from './balancer/fleets.ts'
import { pickCases } from './balancer/picks.ts'
import { type Bench, defineBench } from './bench.ts'

const bench: Bench = defineBench({
  about:
    'Balancing: p50 and p99 of real policies in virtual time beside the ideal central queue, what broken endpoints get, and the cost of a choice.',
  runs: 3,
  cases: [...fleetCases, ...faultCases, ...pickCases],
})

export default bench
