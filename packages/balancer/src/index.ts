export type { Attempt, Work } from './attempt.ts'
export {
  type Balancer,
  type BalancerEvent,
  type BalancerOptions,
  type BalancerStats,
  createBalancer,
  type EndpointStats,
} from './balancer.ts'
export type { BudgetOptions } from './budget.ts'
export { type CallOptions, outcomeOfError } from './call.ts'
export type { Discovery, Snapshot } from './discovery/discovery.ts'
export { staticEndpoints } from './discovery/static.ts'
export type { Endpoint, EndpointInput } from './endpoint.ts'
export type { ExplainedEndpoint, Explanation } from './explain.ts'
export type { EjectionEvent, EjectionOptions } from './health/ejection.ts'
export type { HealthCheckOptions } from './health/health-checks.ts'
export type { Load, MeasuredLoad, Outcome } from './load/load.ts'
export type { Pace } from './load/pace.ts'
export type { Health } from './member.ts'
export type { Pick, PickOptions } from './pick.ts'
export { type LateBindingOptions, lateBinding } from './policies/late-binding.ts'
export { leastLoaded } from './policies/least-loaded.ts'
export { little } from './policies/little.ts'
export { peakEwma } from './policies/peak-ewma.ts'
export type { Candidate, PickContext, Picker, Policy } from './policies/policy.ts'
export { prequal } from './policies/prequal.ts'
export { type RendezvousOptions, rendezvous } from './policies/rendezvous.ts'
export { roundRobin } from './policies/round-robin.ts'
export { twoChoices } from './policies/two-choices.ts'
