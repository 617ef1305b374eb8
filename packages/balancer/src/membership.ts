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
  /** @throws TypeError or RangeError for a bad list, which changes nothing. */
  apply(snapshot: Snapshot<Metadata>): Change
  /** Nothing can be learnt at present: what is known stays in use. */
  stale(): void
  /** To be called when a member's work ended: one that has left is forgotten with its last. */
  settled(member: Member<Metadata>): void
}

export function createMembership<Metadata>(policy: Policy, random: Random): Membership<Metadata> {
  let known = new Map<string, Member<Metadata>>()
  const leaving = new Set<Member<Metadata>>()
  let view: View<Metadata> = { candidates: [], picker: null }
  let state: Snapshot['state'] = 'stale'

  function apply(snapshot: Snapshot<Metadata>): Change {
    const endpoints = checkedEndpoints(snapshot.endpoints)
    if (endpoints.length === 0 && snapshot.state !== 'confirmed-empty') {
      state = 'stale'
      return { added: [], removed: [] }
    }
    state = snapshot.state
    const next = new Map(endpoints.map((endpoint) => [endpoint.id, memberFor(endpoint)]))
    const changed = next.size !== known.size || [...next].some(([id, member]) => known.get(id) !== member)
    // The same list again must not restart the turn of a round robin.
    if (!changed) return { added: [], removed: [] }
    const stayed = new Set([...next.values()].map((member) => member.load))
    for (const member of known.values()) if (!stayed.has(member.load) && member.load.inFlight > 0) leaving.add(member)
    for (const member of leaving) if (stayed.has(member.load)) leaving.delete(member)
    const change = {
      added: [...next.keys()].filter((id) => next.get(id)!.load !== known.get(id)?.load),
      removed: [...known.keys()].filter((id) => next.get(id)?.load !== known.get(id)!.load),
    }
    known = next
    const candidates = [...next.values()].filter((member) => member.endpoint.weight > 0)
    view = { candidates, picker: candidates.length > 0 ? policy.picker(candidates, random) : null }
    return change
  }

  // Load belongs to the process behind an address: the same id elsewhere starts with none.
  function memberFor(endpoint: Endpoint<Metadata>): Member<Metadata> {
    const former =
      known.get(endpoint.id) ?? [...leaving].find((member) => member.endpoint.id === endpoint.id) ?? undefined
    if (former?.endpoint.address !== endpoint.address) return { endpoint, load: loadMeter() }
    const same = former.endpoint.weight === endpoint.weight && former.endpoint.metadata === endpoint.metadata
    return same && known.has(endpoint.id) ? former : { endpoint, load: former.load }
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
      for (const member of leaving) yield { ...member, draining: true }
    },
    apply,
    stale() {
      state = 'stale'
    },
    settled(member) {
      if (member.load.inFlight > 0) return
      for (const gone of leaving) if (gone.load === member.load) leaving.delete(gone)
    },
  }
}
