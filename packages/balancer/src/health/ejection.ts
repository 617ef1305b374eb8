import { checkInteger, checkNumber, type Observer, type Random } from '@headrace/core'
import { residenceMs } from '../load/little.ts'
import type { Outcome } from '../load/load.ts'
import { type HealthRecord, healthOf, type Member } from '../member.ts'

export interface EjectionOptions {
  /** So many failures in a row put an endpoint out, be it of work or of checks. 5 by default. */
  readonly failures?: number | undefined
  /** So many times the median of all in residence time put it out, too. Off (Infinity) by default. */
  readonly latencyFactor?: number | undefined
  /** No more than this share of the endpoints is out at a time: where most seem bad, the fault is elsewhere. 0.5 by default. */
  readonly shareMax?: number | undefined
  /** The first pause; each further one in a row doubles it. 5 s and 300 s by default; half of it is jitter. */
  readonly pauseMinMs?: number | undefined
  readonly pauseMaxMs?: number | undefined
}

export type EjectionEvent = EjectedEvent | { readonly type: 'readmitted'; readonly endpoint: string }

/** It gets nothing for `pauseMs`, and then one piece of work as a probe. */
export interface EjectedEvent {
  readonly type: 'ejected'
  readonly endpoint: string
  readonly why: 'failures' | 'checks' | 'latency' | 'probe'
  readonly pauseMs: number
}

export interface Ejection<Metadata> {
  /** When {@link revive} has something to do. */
  readonly dueMs: number
  /** Whether it may be picked now. */
  admits(member: Member<Metadata>): boolean
  picked(member: Member<Metadata>): void
  ended(member: Member<Metadata>, outcome: Outcome, nowMs: number): void
  /** A health check has ended. */
  checked(member: Member<Metadata>, isWell: boolean, nowMs: number): void
  /** Lets those probe whose pause is over. */
  revive(nowMs: number): void
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
  let endedSinceCheck = 0

  function recordOf(member: Member<Metadata>): HealthRecord {
    member.record ??= { health: 'in', failuresInRow: 0, checksFailedInRow: 0, ejections: 0, untilMs: 0, probing: false }
    return member.record
  }

  function eject(member: Member<Metadata>, why: EjectedEvent['why'], nowMs: number): void {
    const record = recordOf(member)
    if (record.health === 'in' && !mayEject()) return
    const pauseMs = longestPauseMs(record) * (1 - random.next() / 2)
    record.ejections++
    record.failuresInRow = 0
    record.checksFailedInRow = 0
    record.health = 'out'
    record.probing = false
    record.untilMs = nowMs + pauseMs
    ejection.dueMs = Math.min(ejection.dueMs, record.untilMs)
    observe?.({ type: 'ejected', endpoint: member.endpoint.id, why, pauseMs })
    refresh()
  }

  function longestPauseMs({ ejections }: HealthRecord): number {
    // Beyond that every pause is the longest, and a power would some day be infinite.
    return Math.min(pauseMaxMs, pauseMinMs * 2 ** Math.min(ejections, 30))
  }

  function mayEject(): boolean {
    let known = 0
    let out = 1
    for (const member of members()) {
      known++
      if (healthOf(member) !== 'in') out++
    }
    return out <= shareMax * known && out < known
  }

  function checkLatencies(nowMs: number): void {
    endedSinceCheck = 0
    const seen = [...members()]
      .filter((member) => member.load.answers >= answersMin && healthOf(member) === 'in')
      .map((member) => ({ member, ms: residenceMs(member.load, nowMs) }))
      .sort((one, other) => one.ms - other.ms)
    if (seen.length < membersMin) return
    const median = seen[seen.length >> 1]!.ms
    for (const { member, ms } of seen) if (ms > latencyFactor * median) eject(member, 'latency', nowMs)
  }

  const ejection: Ejection<Metadata> & { dueMs: number } = {
    dueMs: Number.POSITIVE_INFINITY,
    admits({ record }) {
      return !record || record.health === 'in' || (record.health === 'probe' && !record.probing)
    },
    picked(member) {
      const { record } = member
      if (record?.health !== 'probe') return
      record.probing = true
      refresh()
    },
    ended(member, outcome, nowMs) {
      if (outcome === 'failure') {
        const record = recordOf(member)
        if (record.health === 'probe') eject(member, 'probe', nowMs)
        else if (record.health === 'in' && ++record.failuresInRow >= failures) eject(member, 'failures', nowMs)
      } else {
        const { record } = member
        if (record) {
          recovered(member, record, outcome, nowMs)
          if (outcome === 'success') record.failuresInRow = 0
        }
      }
      if (latencyFactor < Number.POSITIVE_INFINITY && ++endedSinceCheck >= checkEvery()) checkLatencies(nowMs)
    },
    // Work and checks are counted apart: one that answers its checks may fail all its work, and one that still works may say that
    // it is about to leave. Neither must hide what the other has seen.
    checked(member, isWell, nowMs) {
      if (isWell) {
        const { record } = member
        if (!record) return
        recovered(member, record, 'success', nowMs)
        record.checksFailedInRow = 0
        return
      }
      const record = recordOf(member)
      if (record.health === 'probe') eject(member, 'probe', nowMs)
      else if (record.health === 'in' && ++record.checksFailedInRow >= failures) eject(member, 'checks', nowMs)
    },
    revive(nowMs) {
      ejection.dueMs = Number.POSITIVE_INFINITY
      let revived = false
      for (const member of members()) {
        const { record } = member
        if (record?.health !== 'out') continue
        if (record.untilMs > nowMs) {
          ejection.dueMs = Math.min(ejection.dueMs, record.untilMs)
          continue
        }
        record.health = 'probe'
        revived = true
      }
      if (revived) refresh()
    },
  }
  return ejection

  function recovered(member: Member<Metadata>, record: HealthRecord, outcome: Outcome, nowMs: number): void {
    if (record.health === 'out') return
    if (record.health === 'probe') {
      record.probing = false
      if (outcome === 'success') {
        record.health = 'in'
        if (slowStartMs > 0) member.load.warmUp(nowMs, slowStartMs)
        observe?.({ type: 'readmitted', endpoint: member.endpoint.id })
      }
      refresh()
    } else if (record.ejections > 0 && outcome === 'success' && nowMs > record.untilMs + longestPauseMs(record)) {
      // It has stayed in for as long as its next pause would be: what was before is forgotten.
      record.ejections = 0
    }
  }

  function checkEvery(): number {
    let known = 0
    for (const _ of members()) known++
    return 20 * known
  }
}
