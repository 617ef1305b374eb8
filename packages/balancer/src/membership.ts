import type { Random } from '@headrace/core'
import type { Snapshot } from './discovery/discovery.ts'
import { checkedEndpoints, type Endpoint } from './endpoint.ts'
import { type LoadMeter, loadMeter } from './load/load.ts'
import type { Picker, Policy } from './policies/policy.ts'

/** One endpoint as long as it is known or still busy. */
export interface Member<Metadata> {
  readonly endpoint: Endpoint<Metadata>
  readonly load: LoadMeter
}

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
  /** Known endpoints, then those that have left and still have work in flight. */
  members(): Iterable<Member<Metadata> & { readonly draining: boolean }>
  /**
   * @returns what changed, or null where nothing did.
   * @throws TypeError or RangeError for a bad list, which changes nothing.
   */
  apply(snapshot: Snapshot<Metadata>): Change | null
  /** Nothing can be learnt at present: what is known stays in use. */
  stale(): void
  /** To be called when a member's work ended: one that has left is forgotten with its last. */
  settled(member: Member<Metadata>): void
}

export function createMembership<Metadata>(policy: Policy, random: Random): Membership<Metadata> {
  let known = new Map<string, Member<Metadata>>()
  // By load, which is the identity of a process: its endpoint object is replaced when its weight changes.
  const leaving = new Map<LoadMeter, Member<Metadata>>()
  let view: View<Metadata> = { epoch: 0, candidates: [], picker: null }
  let state: Snapshot['state'] = 'stale'

  function apply(snapshot: Snapshot<Metadata>): Change | null {
    const endpoints = checkedEndpoints(snapshot.endpoints)
    if (endpoints.length === 0 && snapshot.state !== 'confirmed-empty') {
      state = 'stale'
      return null
    }
    state = snapshot.state
    const formerly = new Map([...leaving.values()].map((member) => [member.endpoint.id, member]))
    const next = new Map(endpoints.map((endpoint) => [endpoint.id, memberFor(endpoint, formerly)]))
    // The same list again must not restart the turn of a round robin.
    if (next.size === known.size && [...next].every(([id, member]) => known.get(id) === member)) return null
    const removed = [...known.values()].filter(({ endpoint, load }) => next.get(endpoint.id)?.load !== load)
    const added = [...next.values()].filter(({ endpoint, load }) => known.get(endpoint.id)?.load !== load)
    for (const member of removed) if (member.load.inFlight > 0) leaving.set(member.load, member)
    for (const member of added) leaving.delete(member.load)
    known = next
    const candidates = [...next.values()].filter((member) => member.endpoint.weight > 0)
    view = {
      epoch: view.epoch + 1,
      candidates,
      picker: candidates.length > 0 ? policy.picker(candidates, random) : null,
    }
    return { added: idsOf(added), removed: idsOf(removed) }
  }

  // Load belongs to the process behind an address: the same id elsewhere starts with none.
  function memberFor(endpoint: Endpoint<Metadata>, formerly: ReadonlyMap<string, Member<Metadata>>): Member<Metadata> {
    const present = known.get(endpoint.id)
    if (present && sameEndpoint(present.endpoint, endpoint)) return present
    const former = [present, formerly.get(endpoint.id)].find((member) => member?.endpoint.address === endpoint.address)
    return { endpoint, load: former?.load ?? loadMeter() }
  }

  return {
    get view() {
      return view
    },
    get state() {
      return state
    },
    *members() {
      for (const member of known.values()) yield { ...member, draining: false }
      for (const member of leaving.values()) yield { ...member, draining: true }
    },
    apply,
    stale() {
      state = 'stale'
    },
    settled({ load }) {
      if (load.inFlight === 0) leaving.delete(load)
    },
  }
}

function sameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one.address === other.address && one.weight === other.weight && one.metadata === other.metadata
}

function idsOf(members: readonly { readonly endpoint: Endpoint }[]): readonly string[] {
  return members.map((member) => member.endpoint.id)
}
