import type { Random } from '@headrace/core'
import type { Snapshot } from './discovery/discovery.ts'
import { checkedEndpoints, type Endpoint } from './endpoint.ts'
import { LoadMeter } from './load/load-meter.ts'
import type { Pace } from './load/pace.ts'
import type { Member } from './member.ts'
import type { Picker, Policy } from './policies/policy.ts'

/** Who can be picked at one moment: replaced as a whole when that changes, never modified. */
export interface View<Metadata> {
  /** Counts the changes; two picks with the same epoch were made among the same endpoints. */
  readonly epoch: number
  readonly candidates: readonly Member<Metadata>[]
  /** Null where there is nobody to pick. */
  readonly picker: Picker | null
}

/** What a snapshot changed; ids. */
export interface Change {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

export interface Membership<Metadata> {
  readonly view: View<Metadata>
  readonly state: Snapshot['state']
  /** Whether there was a list to believe, be it an empty one. */
  readonly isKnown: boolean
  known(): Iterable<Member<Metadata>>
  /** Those that are known no more and still have work in flight. */
  readonly leaving: Iterable<Member<Metadata>>
  /**
   * @returns what changed, or null where nothing did.
   * @throws TypeError or RangeError for a bad list, which changes nothing.
   */
  apply(snapshot: Snapshot<Metadata>): Change | null
  /** Nothing can be learnt at present: what is known stays in use. */
  stale(): void
  /** Asks `admits` again for everybody. */
  refresh(): void
  /** To be called when a member's work ended: one that has left is forgotten with its last. */
  settled(member: Member<Metadata>): void
}

export function createMembership<Metadata>(options: {
  readonly policy: Policy
  readonly random: Random
  readonly pace: Pace
  readonly nowMs: () => number
  /** How long it takes a newcomer, who was not in the first list, to get its full share. */
  readonly slowStartMs: number
  /** Whether a member with a weight may be picked at present. */
  readonly admits: (member: Member<Metadata>) => boolean
}): Membership<Metadata> {
  const { policy, random, pace, nowMs, slowStartMs, admits } = options
  let known = new Map<string, Member<Metadata>>()
  const leaving = new Set<Member<Metadata>>()
  // Fields, because V8 looks the properties of a literal that has a getter up in a dictionary, with each pick.
  const membership = {
    view: { epoch: 0, candidates: [], picker: null } as View<Metadata>,
    state: 'stale' as Snapshot['state'],
    isKnown: false,
    known: () => known.values(),
    leaving,
    apply,
    stale() {
      membership.state = 'stale'
    },
    refresh,
    settled(member: Member<Metadata>) {
      if (member.load.inFlight === 0) leaving.delete(member)
    },
  }

  function apply(snapshot: Snapshot<Metadata>): Change | null {
    const endpoints = checkedEndpoints(snapshot.endpoints)
    if (endpoints.length === 0 && snapshot.state !== 'confirmed-empty') {
      membership.state = 'stale'
      return null
    }
    membership.state = snapshot.state
    membership.isKnown = true
    const formerly = new Map([...leaving].map((member) => [member.endpoint.id, member]))
    const next = new Map(endpoints.map((endpoint) => [endpoint.id, memberFor(endpoint, formerly)]))
    const removed = [...known.values()].filter((member) => next.get(member.endpoint.id) !== member)
    const added = [...next.values()].filter((member) => known.get(member.endpoint.id) !== member)
    const changed = endpoints.filter((endpoint) => !sameEndpoint(endpoint, next.get(endpoint.id)!.endpoint))
    // The same list again must not restart the turn of a round robin.
    if (removed.length + added.length + changed.length === 0) return null
    for (const endpoint of changed) next.get(endpoint.id)!.endpoint = endpoint
    for (const member of removed) {
      member.isKnown = false
      if (member.load.inFlight > 0) leaving.add(member)
    }
    for (const member of added) {
      member.isKnown = true
      leaving.delete(member)
      // Where all are new, each being careful would help nobody.
      if (slowStartMs > 0 && known.size > 0) member.load.warmUp(nowMs(), slowStartMs)
    }
    known = next
    pace.resize(known.size)
    refresh()
    return { added: idsOf(added), removed: idsOf(removed) }
  }

  // Load belongs to the process behind an address: the same id elsewhere starts with none.
  function memberFor(endpoint: Endpoint<Metadata>, formerly: ReadonlyMap<string, Member<Metadata>>): Member<Metadata> {
    const found = [known.get(endpoint.id), formerly.get(endpoint.id)].find(
      (member) => member?.endpoint.address === endpoint.address,
    )
    return found ?? { endpoint, load: new LoadMeter(pace, nowMs()), isKnown: false, index: -1, record: undefined }
  }

  function refresh(): void {
    for (const member of membership.view.candidates) member.index = -1
    const candidates = [...known.values()].filter((member) => member.endpoint.weight > 0 && admits(member))
    for (let index = 0; index < candidates.length; index++) candidates[index]!.index = index
    membership.view = {
      epoch: membership.view.epoch + 1,
      candidates,
      // A member changes with the next snapshot, and a picker keeps to the list that it was made for.
      picker:
        candidates.length === 0
          ? null
          : policy.picker(
              candidates.map(({ endpoint, load }) => ({ endpoint, load })),
              random,
            ),
    }
  }

  return membership
}

function sameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one.weight === other.weight && one.metadata === other.metadata
}

function idsOf(members: readonly { readonly endpoint: Endpoint }[]): readonly string[] {
  return members.map((member) => member.endpoint.id)
}
