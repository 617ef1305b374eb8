export type { EndpointGroup, Scenario } from './sim/scenario.ts'
export { type Contestant, simulate } from './sim/simulate.ts'
export type { SimulationResult } from './sim/tally.ts'
