import { type Clock, checkKey, checkNumber, HeadraceError, type Observer } from '@headrace/core'
import type { Admission } from './admission.ts'
import type { Ejection } from './health/ejection.ts'
import type { Outcome } from './load/load.ts'
import type { Member } from './member.ts'
import type { Membership } from './membership.ts'
import { OpenPick, type PickOptions } from './pick.ts'
import { createPins } from './pins.ts'
import type { Policy } from './policies/policy.ts'

/** Why there is no pick: the first three are final, and what is behind the others changes. */
export type NoPick = 'nobody' | 'too-late' | 'overloaded' | 'unknown' | 'full' | 'pinned'

/** Work was refused that would have taken about `expectedMs` and had only `deadlineMs`. */
export interface RefusedEvent {
  readonly type: 'refused'
  readonly expectedMs: number
  readonly deadlineMs: number
}

/** Makes picks and learns how they ended. */
export interface Picking<Metadata> {
  readonly inFlight: number
  /** Whether the work could be done in time, as far as can be told. Asked once for each piece of work. */
  refusal(options: PickOptions): 'too-late' | 'overloaded' | null
  /** @throws TypeError or RangeError for a bad key. */
  tryPick(options: PickOptions): OpenPick<Metadata> | NoPick
  /** Where the key has work in flight. */
  pinnedTo(key: string): Member<Metadata> | undefined
}

export function createPicking<Metadata>(options: {
  readonly clock: Clock
  readonly policy: Policy
  readonly membership: Membership<Metadata>
  readonly ejection: Ejection<Metadata> | undefined
  readonly admission: Admission
  readonly observe: Observer<RefusedEvent> | undefined
  /** How many have been admitted and wait for a free endpoint. */
  readonly waiting: () => number
  /** A pick has ended, and with it all work on `key`, if that is given. */
  readonly ended: (key: string | undefined) => void
}): Picking<Metadata> {
  const { clock, policy, membership, ejection, admission, observe, waiting, ended } = options
  const { pinsKeys = false, holdsBack = false } = policy
  const pins = createPins<Member<Metadata>>()
  // A field, because V8 looks the properties of a literal that has a getter up in a dictionary, with each pick.
  const picking = {
    inFlight: 0,
    refusal({ deadlineMs }: PickOptions) {
      if (deadlineMs === undefined) return null
      checkNumber('deadlineMs', deadlineMs)
      if (deadlineMs <= 0) return 'too-late'
      if (!admission.knowsCapacity) return null
      const nowMs = clock.nowMs()
      const expectedMs = admission.expectedMs(picking.inFlight + waiting(), nowMs)
      if (expectedMs === 0 || expectedMs + admission.marginMs <= deadlineMs) return null
      admission.refused(nowMs)
      observe?.({ type: 'refused', expectedMs: expectedMs + admission.marginMs, deadlineMs })
      return 'overloaded'
    },
    tryPick,
    pinnedTo: (key: string) => (pinsKeys ? pins.at(key) : undefined),
  }

  function tryPick({ key, exclude }: PickOptions): OpenPick<Metadata> | NoPick {
    if (key !== undefined) checkKey('key', key)
    const nowMs = clock.nowMs()
    if (ejection && nowMs >= ejection.dueMs) ejection.revive(nowMs)
    const { candidates, picker } = membership.view
    if (!picker) return membership.isKnown ? 'nobody' : 'unknown'
    const pinnedKey = pinsKeys ? key : undefined
    const pinned = pinnedKey === undefined ? undefined : pins.at(pinnedKey)
    if (pinned) {
      // It has left, or must not have it: the next on this key has to wait until the last one there has ended.
      return pinned.index === -1 || exclude?.has(pinned.endpoint.id) ? 'pinned' : begin(pinned, nowMs, pinnedKey)
    }
    const index = picker.pick({ nowMs, key, exclude })
    return index === -1 ? noneOf(candidates, exclude) : begin(candidates[index]!, nowMs, pinnedKey)
  }

  function noneOf(candidates: readonly Member<Metadata>[], exclude: PickOptions['exclude']): NoPick {
    return holdsBack && candidates.some(({ endpoint }) => !exclude?.has(endpoint.id)) ? 'full' : 'nobody'
  }

  function begin(member: Member<Metadata>, startMs: number, pinnedKey: string | undefined): OpenPick<Metadata> {
    // Before anything else: an ejection or a list that follows from it belongs to the next.
    const { epoch } = membership.view
    const expectedMs = admission.knowsCapacity ? admission.expectedMs(picking.inFlight, startMs) : 0
    picking.inFlight++
    if (pinnedKey !== undefined) pins.hold(pinnedKey, member)
    const turn = member.load.begin(startMs)
    changed(member, startMs)
    if (member.record) ejection?.picked(member)
    return new OpenPick(member, epoch, startMs, turn, expectedMs, pinnedKey, end)
  }

  function end({ member, startMs, turn, expectedMs, pinnedKey }: OpenPick<Metadata>, outcome: Outcome): void {
    picking.inFlight--
    const nowMs = clock.nowMs()
    const keyIsFree = pinnedKey !== undefined && pins.release(pinnedKey)
    member.load.end(outcome, turn, nowMs - startMs, nowMs)
    const isExcused = admission.ended(outcome, expectedMs, nowMs - startMs, nowMs)
    changed(member, nowMs)
    if (member.isKnown) ejection?.ended(member, isExcused ? 'ignored' : outcome, nowMs)
    else membership.settled(member)
    ended(keyIsFree ? pinnedKey : undefined)
  }

  function changed(member: Member<Metadata>, nowMs: number): void {
    if (member.index !== -1) membership.view.picker?.changed?.(member.index, nowMs)
  }

  return picking
}

const whyNot: Readonly<Record<NoPick, string>> = {
  nobody: 'there is no endpoint that can take it',
  'too-late': 'no time is left for it',
  overloaded: 'the endpoints have more to do than they could finish before its deadline',
  unknown: 'no endpoint is known yet',
  full: 'all endpoints have as much as they can work on',
  pinned: 'the key has work in flight at an endpoint that must not have more',
}

/** The error of a call that cannot wait for a pick. */
export function noPickError(why: NoPick): HeadraceError {
  return new HeadraceError(why === 'overloaded' ? 'BUSY' : 'UNAVAILABLE', whyNot[why])
}
