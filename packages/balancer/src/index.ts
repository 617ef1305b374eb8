export {
  type Balancer,
  type BalancerEvent,
  type BalancerOptions,
  type BalancerStats,
  createBalancer,
  type EndpointStats,
} from './balancer.ts'
export { type Attempt, type CallOptions, outcomeOfError, type Work } from './call.ts'
export type { Discovery, Snapshot } from './discovery/discovery.ts'
export { staticEndpoints } from './discovery/static.ts'
export type { Endpoint, EndpointInput } from './endpoint.ts'
export type { Load, Outcome } from './load/load.ts'
export type { Pick, PickOptions } from './pick.ts'
export { leastLoaded } from './policies/least-loaded.ts'
export type { Candidate, PickContext, Picker, Policy } from './policies/policy.ts'
export { roundRobin } from './policies/round-robin.ts'
