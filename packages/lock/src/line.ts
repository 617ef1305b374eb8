import type { Appointment } from './agenda.ts'
import type { Failed, Held, Share, Standing } from './driver.ts'
import type { LostCause } from './events.ts'
import { createFifo, type Entry } from './fifo.ts'
import type { House, Tenant } from './house.ts'
import { createLease, type Lease, type LeaseControl } from './lease.ts'
import type { Lookout } from './lookout.ts'
import { createTenure, type Tenure } from './tenure.ts'

/** A caller in a line. */
export interface Waiter extends Entry {
  readonly ttlMs: number
  readonly label: string | undefined
  readonly sinceMs: number
  readonly untilMs: number
  /** Takes the first answer: null where the key is held. */
  readonly once: boolean
  granted(lease: Lease | null): void
  failed(error: unknown): void
}

/**
 * The callers of one process that want one key, in order. The line has one place in the backend's queue, whoever
 * waits in it, and hands a grant from one to the next before it gives it back.
 */
export interface Line extends Tenant, Entry {
  readonly key: string
  readonly waiting: number
  /** True while nobody has the key and nobody is in front. */
  join(waiter: Waiter): void
  leave(waiter: Waiter): void
  close(): Promise<boolean>
}

export function createLine(
  house: House,
  options: {
    readonly key: string
    readonly share: Share | undefined
    readonly lookout: Lookout
    /** The line is of no more use and nobody is in it. */
    readonly idle: (line: Line) => void
  },
): Line {
  const { clock, agenda, outbox, supports, emit, tenants } = house
  const { key, share, lookout } = options
  const waiters = createFifo<Waiter>()
  let state: 'idle' | 'asking' | 'queued' | 'polling' | 'holding' = 'idle'
  let id = ''
  let ttlMs = 0
  let tenure: Tenure | undefined
  let current: LeaseControl | undefined
  let handovers = 0
  let wanted = false
  let poll: Appointment | undefined
  let longestMs = 0

  const forget = () => {
    tenants.delete(id)
    lookout.leave(line)
    agenda.cancel(poll)
    state = 'idle'
  }
  const rest = () => {
    if (waiters.first) ask()
    else options.idle(line)
  }
  /** How long the place in the backend's queue is good for: for the most patient, and some time for the notice to arrive. */
  const placeMs = () => Math.ceil(longestMs - clock.nowMs()) + house.callMs

  const ask = () => {
    const head = waiters.first!
    id = house.nextId()
    ttlMs = head.ttlMs
    state = 'asking'
    tenants.set(id, line)
    outbox.acquire(
      {
        key,
        id,
        ttlMs,
        waitMs: head.once || supports.queue === 'none' ? 0 : placeMs(),
        tokens: share ? 1 : house.handoverMax + 1,
        label: head.label,
        share,
      },
      answerFor(id),
    )
  }
  const answerFor = (asked: string) => (answer: Standing | Failed, sentMs: number) => {
    if (asked !== id || state === 'idle' || state === 'holding') {
      // Too late: nobody waits under this id any more, and what it was given must not stay.
      if (answer.state !== 'gone' && !(asked === id && state === 'holding')) house.reclaim(key, asked, ttlMs)
      return
    }
    if (answer.state === 'held') begin(answer, sentMs)
    else if (answer.state === 'queued') queued(answer.leftMs)
    else if (answer.state === 'gone') refused(answer.leftMs)
    else failed(answer.error)
  }
  const queued = (leftMs: number | undefined) => {
    if (!waiters.first) return withdraw()
    state = 'queued'
    lookout.wait(line, leftMs ?? ttlMs)
  }
  const refused = (leftMs: number | undefined) => {
    forget()
    const head = waiters.first
    if (head?.once) {
      waiters.delete(head)
      head.granted(null)
      // Those behind it wanted to wait, and the question was not asked for them.
      return rest()
    }
    if (!head) return options.idle(line)
    state = 'polling'
    const pauseMs = Math.min(house.pollMs, leftMs ?? house.pollMs) * (0.5 + house.random.next())
    poll = agenda.at(clock.nowMs() + Math.max(1, pauseMs), () => {
      state = 'idle'
      rest()
    })
  }
  const failed = (error: unknown) => {
    forget()
    emit?.({ type: 'failed', key, operation: 'acquire', error })
    house.reclaim(key, id, ttlMs)
    // The request was made for everybody in the line, and so is its answer.
    for (const waiter of waiters) {
      waiters.delete(waiter)
      waiter.failed(error)
    }
    options.idle(line)
  }
  /** Nobody waits any more: what the backend knows of the place, or has granted by now, is given back. */
  const withdraw = () => {
    forget()
    house.reclaim(key, id, ttlMs)
    options.idle(line)
  }

  const begin = (held: Held, sentMs: number) => {
    lookout.leave(line)
    state = 'holding'
    handovers = 0
    wanted = false
    tenure = createTenure(house, { key, id, ttlMs, held, sentMs, lost: lose })
    // An answer that took longer than the ttl is not a lease.
    if (tenure.trusted) handOn(false)
    else tenure.lose('expired')
  }
  const handOn = (local: boolean) => {
    const waiter = waiters.first
    const token = waiter && tenure!.nextToken()
    if (!waiter || token === undefined) return void giveBack()
    waiters.delete(waiter)
    const nowMs = clock.nowMs()
    const control: LeaseControl = createLease(tenure!, token, () => {
      if (current !== control) return Promise.resolve(false)
      current = undefined
      return done(token, nowMs)
    })
    current = control
    emit?.({ type: 'acquired', key, token, waitedMs: nowMs - waiter.sinceMs, local })
    waiter.granted(control.lease)
  }
  const done = async (token: bigint, acquiredMs: number) => {
    const heldMs = clock.nowMs() - acquiredMs
    let confirmed = tenure!.trusted
    if (confirmed && mayHandOn()) {
      handovers++
      handOn(true)
    } else confirmed = await giveBack()
    emit?.({ type: 'released', key, token, heldMs, confirmed })
    return confirmed
  }
  /** Bounded in number and in time, so that the line of one process does not keep the others out. */
  const mayHandOn = () =>
    !share &&
    !wanted &&
    handovers < house.handoverMax &&
    waiters.first?.ttlMs === ttlMs &&
    clock.nowMs() - tenure!.startedMs < ttlMs / 3

  const giveBack = () => {
    const given = id
    tenure!.end()
    forget()
    const answer = new Promise<boolean>((resolve) => {
      outbox.release({ key, id: given }, (answer) => {
        if (typeof answer === 'boolean') return resolve(answer)
        emit?.({ type: 'failed', key, operation: 'release', error: answer.error })
        house.reclaim(key, given, ttlMs)
        resolve(false)
      })
    })
    rest()
    return answer
  }
  const lose = (cause: LostCause) => {
    const lost = current
    current = undefined
    forget()
    if (lost) emit?.({ type: 'lost', key, token: lost.lease.token, cause })
    lost?.lost(cause)
    // It may be held there still, when this process was late rather than the backend.
    if (cause === 'expired') house.reclaim(key, id, ttlMs)
    rest()
  }

  const line: Line = {
    key,
    before: undefined,
    after: undefined,
    get waiting() {
      return waiters.size
    },
    join(waiter) {
      longestMs = Math.max(longestMs, waiter.untilMs)
      waiters.push(waiter)
      if (state === 'idle') ask()
    },
    leave(waiter) {
      waiters.delete(waiter)
      if (waiters.first) return
      if (state === 'queued') withdraw()
      else if (state === 'polling') {
        forget()
        options.idle(line)
      }
    },
    granted(held) {
      if (state === 'asking' || state === 'queued') begin(held, clock.nowMs())
    },
    lost() {
      if (state === 'holding') tenure!.lose('forced')
    },
    asked() {
      if (state !== 'holding' || !current) return
      wanted = true
      emit?.({ type: 'asked', key, token: current.lease.token })
      current.asked()
    },
    lookAgain() {
      if (state !== 'queued') return
      const asked = id
      outbox.renew({ key, id, ttlMs, waitMs: placeMs() }, (answer, sentMs) => {
        if (asked !== id || state !== 'queued') return
        if (answer.state === 'held') begin(answer, sentMs)
        else if (answer.state === 'queued') queued(answer.leftMs)
        else if (answer.state === 'failed') lookout.wait(line, house.pollMs)
        else {
          // The backend lost the place, and with it perhaps those of everybody.
          forget()
          rest()
          lookout.lookAgain(key)
        }
      })
    },
    close() {
      if (state === 'holding') {
        const lost = current
        current = undefined
        if (lost) emit?.({ type: 'lost', key, token: lost.lease.token, cause: 'closed' })
        lost?.lost('closed')
        return giveBack()
      }
      if (state !== 'idle') withdraw()
      return Promise.resolve(false)
    },
  }
  return line
}
