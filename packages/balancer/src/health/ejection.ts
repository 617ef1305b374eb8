import { checkInteger, checkNumber, type Observer, type Random } from '@headrace/core'
import { residenceMs } from '../load/little.ts'
import type { Outcome } from '../load/load.ts'
import type { Member } from '../membership.ts'

export interface EjectionOptions {
  /** So many failures in a row put an endpoint out. 5 by default. */
  readonly failures?: number | undefined
  /** So many times the median of all in residence time put it out, too. Off (Infinity) by default. */
  readonly latencyFactor?: number | undefined
  /** No more than this share of the endpoints is out at a time: where most seem bad, the fault is elsewhere. 0.5 by default. */
  readonly shareMax?: number | undefined
  /** The first pause; each further one in a row doubles it. 5 s and 300 s by default; half of it is jitter. */
  readonly pauseMinMs?: number | undefined
  readonly pauseMaxMs?: number | undefined
}

export type EjectionEvent =
  /** It gets nothing for `pauseMs`, and then one piece of work as a probe. */
  | {
      readonly type: 'ejected'
      readonly endpoint: string
      readonly why: 'failures' | 'latency' | 'probe'
      readonly pauseMs: number
    }
  | { readonly type: 'readmitted'; readonly endpoint: string }

/** `in`: gets work. `out`: gets none. `probe`: gets one piece of work, on which it depends. */
export type Health = 'in' | 'out' | 'probe'

export interface Ejection<Metadata> {
  /** When {@link revive} has something to do. */
  readonly dueMs: number
  health(member: Member<Metadata>): Health
  /** Whether it may be picked now. */
  admits(member: Member<Metadata>): boolean
  picked(member: Member<Metadata>): void
  ended(member: Member<Metadata>, outcome: Outcome, nowMs: number): void
  /** Lets those probe whose pause is over. */
  revive(nowMs: number): void
}

interface State {
  failuresInRow: number
  /** Ejections since it last stayed in. */
  ejections: number
  health: Health
  untilMs: number
  probing: boolean
}

// An answer more or less says nothing of a latency.
const answersMin = 5
const membersMin = 3

/**
 * Puts endpoints out that fail or are far slower than the others, and takes them back by one probe. It needs no timer: what
 * is due is looked at with each pick.
 */
export function createEjection<Metadata>(options: {
  readonly ejection: EjectionOptions
  readonly members: () => Iterable<Member<Metadata>>
  readonly random: Random
  readonly observe: Observer<EjectionEvent> | undefined
  /** Who may be picked has changed. */
  readonly refresh: () => void
  readonly slowStartMs: number
}): Ejection<Metadata> {
  const { members, random, observe, refresh, slowStartMs } = options
  const { failures = 5, latencyFactor = Number.POSITIVE_INFINITY, shareMax = 0.5 } = options.ejection
  const { pauseMinMs = 5_000, pauseMaxMs = 300_000 } = options.ejection
  checkInteger('ejection.failures', failures, { min: 1 })
  checkNumber('ejection.latencyFactor', latencyFactor, { min: 1, max: Number.POSITIVE_INFINITY })
  checkNumber('ejection.shareMax', shareMax, { min: 0, max: 1 })
  checkNumber('ejection.pauseMinMs', pauseMinMs, { min: 0 })
  checkNumber('ejection.pauseMaxMs', pauseMaxMs, { min: pauseMinMs })
  // Only those that have failed are in it, so that it is empty on good days.
  const states = new WeakMap<Member<Metadata>, State>()
  let dueMs = Number.POSITIVE_INFINITY
  let endedSinceCheck = 0

  function stateOf(member: Member<Metadata>): State {
    const found = states.get(member)
    if (found) return found
    const state: State = { failuresInRow: 0, ejections: 0, health: 'in', untilMs: 0, probing: false }
    states.set(member, state)
    return state
  }

  function eject(member: Member<Metadata>, why: 'failures' | 'latency' | 'probe', nowMs: number): void {
    const state = stateOf(member)
    if (state.health === 'in' && !mayEject()) return
    const pauseMs = Math.min(pauseMaxMs, pauseMinMs * 2 ** state.ejections) * (1 - random.next() / 2)
    state.ejections++
    state.failuresInRow = 0
    state.health = 'out'
    state.probing = false
    state.untilMs = nowMs + pauseMs
    dueMs = Math.min(dueMs, state.untilMs)
    observe?.({ type: 'ejected', endpoint: member.endpoint.id, why, pauseMs })
    refresh()
  }

  function mayEject(): boolean {
    let known = 0
    let out = 1
    for (const member of members()) {
      known++
      const health = states.get(member)?.health ?? 'in'
      if (health !== 'in') out++
    }
    return out <= shareMax * known && out < known
  }

  function checkLatencies(nowMs: number): void {
    const seen = [...members()]
      .filter((member) => member.load.answers >= answersMin && (states.get(member)?.health ?? 'in') === 'in')
      .map((member) => ({ member, ms: residenceMs(member.load, nowMs) }))
      .sort((one, other) => one.ms - other.ms)
    if (seen.length < membersMin) return
    const median = seen[seen.length >> 1]!.ms
    for (const { member, ms } of seen) if (ms > latencyFactor * median) eject(member, 'latency', nowMs)
  }

  return {
    get dueMs() {
      return dueMs
    },
    health: (member) => states.get(member)?.health ?? 'in',
    admits(member) {
      const state = states.get(member)
      return !state || state.health === 'in' || (state.health === 'probe' && !state.probing)
    },
    picked(member) {
      const state = states.get(member)
      if (state?.health !== 'probe') return
      state.probing = true
      refresh()
    },
    ended(member, outcome, nowMs) {
      if (outcome === 'failure') {
        const state = stateOf(member)
        if (state.health === 'probe') eject(member, 'probe', nowMs)
        else if (state.health === 'in' && ++state.failuresInRow >= failures) eject(member, 'failures', nowMs)
      } else {
        const state = states.get(member)
        if (state) recovered(member, state, outcome, nowMs)
      }
      if (latencyFactor === Number.POSITIVE_INFINITY || ++endedSinceCheck < checkEvery()) return
      endedSinceCheck = 0
      checkLatencies(nowMs)
    },
    revive(nowMs) {
      dueMs = Number.POSITIVE_INFINITY
      let revived = false
      for (const member of members()) {
        const state = states.get(member)
        if (state?.health !== 'out') continue
        if (state.untilMs > nowMs) {
          dueMs = Math.min(dueMs, state.untilMs)
          continue
        }
        state.health = 'probe'
        revived = true
      }
      if (revived) refresh()
    },
  }

  function recovered(member: Member<Metadata>, state: State, outcome: Outcome, nowMs: number): void {
    if (state.health === 'out') return
    if (state.health === 'probe') {
      state.probing = false
      if (outcome === 'success') {
        state.health = 'in'
        if (slowStartMs > 0) member.load.warmUp(nowMs, slowStartMs)
        observe?.({ type: 'readmitted', endpoint: member.endpoint.id })
      }
      refresh()
    } else if (outcome === 'success') {
      state.failuresInRow = 0
      // It has stayed in for as long as its next pause would be: what was before is forgotten.
      if (state.ejections > 0 && nowMs > state.untilMs + pauseMinMs * 2 ** state.ejections) state.ejections = 0
    }
  }

  function checkEvery(): number {
    let known = 0
    for (const _ of members()) known++
    return 20 * known
  }
}
