import type { Endpoint } from './endpoint.ts'
import { residenceMs } from './load/little.ts'
import { type Health, healthOf, type Member } from './member.ts'
import type { Membership } from './membership.ts'
import { type Policy, shareOf } from './policies/policy.ts'

/** One endpoint as the policy sees it now. */
export interface ExplainedEndpoint<Metadata = unknown> {
  readonly endpoint: Endpoint<Metadata>
  /** Whether it may be picked; if not, `why` says what is in the way. */
  readonly eligible: boolean
  readonly why: 'may be picked' | 'has left' | 'has weight 0' | 'is out' | 'is being probed'
  readonly health: Health
  readonly inFlight: number
  readonly residenceMs: number
  /** The weight that counts at present. */
  readonly share: number
  /** By which the policy compares, the lowest first; undefined where it does not compare. */
  readonly cost: number | undefined
}

export interface Explanation<Metadata = unknown> {
  readonly policy: string
  readonly epoch: number
  /** Where the key has work in flight, if keys are pinned: it goes there, whatever the costs are. */
  readonly pinnedTo: string | undefined
  /** Those that may be picked first, the cheapest first. */
  readonly endpoints: readonly ExplainedEndpoint<Metadata>[]
}

/** Why the next pick for `key` goes where it goes. It changes nothing. */
export function explain<Metadata>(options: {
  readonly policy: Policy
  readonly membership: Membership<Metadata>
  readonly pinned: Member<Metadata> | undefined
  readonly key: string | undefined
  readonly nowMs: number
}): Explanation<Metadata> {
  const { policy, membership, pinned, key, nowMs } = options

  function explained(member: Member<Metadata>): ExplainedEndpoint<Metadata> {
    const { endpoint, load } = member
    const health = healthOf(member)
    const why = reasonOf(member, health)
    return {
      endpoint,
      eligible: why === 'may be picked',
      why,
      health,
      inFlight: load.inFlight,
      residenceMs: residenceMs(load, nowMs),
      share: shareOf(member, nowMs),
      cost: policy.cost?.(member, nowMs, key),
    }
  }

  const endpoints = [
    ...[...membership.known()].map((member) => explained(member)),
    ...[...membership.leaving].map((member) => explained(member)),
  ]
  return {
    policy: policy.name,
    epoch: membership.view.epoch,
    pinnedTo: pinned?.endpoint.id,
    endpoints: endpoints.sort(
      (one, other) => Number(other.eligible) - Number(one.eligible) || (one.cost ?? 0) - (other.cost ?? 0) || 0,
    ),
  }
}

function reasonOf(member: Member<unknown>, health: Health): ExplainedEndpoint['why'] {
  if (!member.isKnown) return 'has left'
  if (member.endpoint.weight === 0) return 'has weight 0'
  if (health === 'out') return 'is out'
  return health === 'probe' && member.index === -1 ? 'is being probed' : 'may be picked'
}
