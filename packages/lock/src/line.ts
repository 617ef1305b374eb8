import type { Due } from './agenda.ts'
import type { AcquireRequest, Failed, Held, RenewRequest, Share, Standing } from './driver.ts'
import type { LostCause } from './events.ts'
import { type Entry, Fifo } from './fifo.ts'
import type { House } from './house.ts'
import { HeldLease } from './lease.ts'
import { Tenure } from './tenure.ts'
import type { Waiter } from './waiter.ts'

/**
 * The callers of one process that want one key, in order. The line has one place in the backend's queue, whoever
 * waits in it, and hands a grant from one to the next before it gives it back.
 */
export class Line implements Entry, Due {
  before: Entry | undefined = undefined
  after: Entry | undefined = undefined
  atMs = 0
  place = -1
  readonly key: string
  readonly share: Share | undefined
  /** The name under which the backend knows the place or the grant. */
  id = ''
  ttlMs = 0
  readonly #house: House
  readonly #waiters = new Fifo<Waiter>()
  #state: 'idle' | 'asking' | 'queued' | 'polling' | 'holding' = 'idle'
  #tenure: Tenure | undefined = undefined
  #lease: HeldLease | undefined = undefined
  #handovers = 0
  #wanted = false
  /** Until when the most patient of those who came waits. */
  #patienceMs = 0

  constructor(house: House, key: string, share: Share | undefined) {
    this.#house = house
    this.key = key
    this.share = share
  }

  join(waiter: Waiter): void {
    this.#patienceMs = Math.max(this.#patienceMs, waiter.sinceMs + waiter.wish.waitMs)
    this.#waiters.push(waiter)
    if (this.#state === 'idle') this.#ask()
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter)
    if (this.#waiters.first) return
    // While a request is out nothing can be withdrawn: its answer finds nobody, and is given back.
    if (this.#state === 'queued') this.#withdraw()
    else if (this.#state === 'polling') this.#rest()
  }

  /** The backend tells that the place in its queue has become a grant. */
  granted(held: Held): void {
    if (this.#state === 'asking' || this.#state === 'queued') this.#begin(held, this.#house.clock.nowMs())
  }

  /** The backend tells that the grant was taken away. */
  forced(): void {
    if (this.#state === 'holding') this.#tenure!.lose('forced')
  }

  /** The backend tells that somebody asks for the key. */
  asked(): void {
    if (this.#state !== 'holding' || !this.#lease) return
    this.#wanted = true
    this.#house.emit?.({ type: 'asked', key: this.key, token: this.#lease.token })
    this.#lease.asked()
  }

  /** Asks the backend how the place stands: the holder may be dead, or a notice was missed. */
  lookAgain(): void {
    if (this.#state !== 'queued') return
    this.#house.outbox.renew({ key: this.key, id: this.id, ttlMs: this.ttlMs, waitMs: this.#placeMs() }, this)
  }

  /** The answer to an acquisition, or to a look at a place in the queue. */
  answered(answer: Standing | Failed, sentMs: number, request: AcquireRequest | RenewRequest): void {
    if (request.id !== this.id || (this.#state !== 'asking' && this.#state !== 'queued')) {
      // Nobody waits under this id any more, and what it was given meanwhile must not stay.
      const current = request.id === this.id && this.#state === 'holding'
      if (!current && answer.state !== 'gone') this.#house.reclaim(this.key, request.id, request.ttlMs)
    } else if (answer.state === 'held') this.#begin(answer, sentMs)
    else if (answer.state === 'queued') this.#queue(answer.leftMs ?? this.ttlMs)
    else if (this.#state === 'asking') {
      if (answer.state === 'gone') this.#refused(answer.leftMs)
      else this.#fail(answer.error)
    } else if (answer.state === 'failed') this.#house.lookout.wait(this, this.#house.pollMs)
    else {
      // The backend lost the place, and with it perhaps those of everybody who waits for the key.
      this.#rest()
      this.#house.lookout.lookAgain(this.key)
    }
  }

  /** The time to poll has come. */
  due(): void {
    this.#rest()
  }

  /** Sends its waiters away and gives back what it holds. */
  async close(error: unknown): Promise<void> {
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter)
      waiter.failed(error)
    }
    if (this.#state === 'idle' || this.#state === 'polling') return this.#rest()
    this.#dropLease('closed')
    await this.#giveUp()
  }

  giveBack(lease: HeldLease): Promise<boolean> {
    if (this.#lease !== lease) return Promise.resolve(false)
    this.#lease = undefined
    const { clock, emit } = this.#house
    const { key } = this
    const { token } = lease
    const heldMs = emit ? clock.nowMs() - lease.acquiredMs : 0
    if (this.#mayHandOn()) {
      this.#handovers++
      emit?.({ type: 'released', key, token, heldMs, confirmed: true })
      this.#handOn(true)
      return Promise.resolve(true)
    }
    const answer = this.#giveUp()
    if (!emit) return answer
    return answer.then((confirmed) => {
      emit({ type: 'released', key, token, heldMs, confirmed })
      return confirmed
    })
  }

  /** The tenure tells that it can no longer be trusted. */
  lost(cause: LostCause): void {
    this.#dropLease(cause)
    // It may be held there still, when this process was late rather than the backend; or it was renewed until now.
    if (cause === 'expired' || cause === 'overdue') this.#house.reclaim(this.key, this.id, this.ttlMs)
    this.#rest()
  }

  #ask() {
    const { wish, how } = this.#waiters.first!
    const { key, share } = this
    this.id = this.#house.nextId()
    this.ttlMs = wish.ttlMs
    this.#state = 'asking'
    const waitMs = how === 'once' || this.#house.supports.queue === 'none' ? 0 : this.#placeMs()
    const tokens = share ? 1 : this.#house.handoverMax + 1
    this.#house.outbox.acquire({ key, id: this.id, ttlMs: wish.ttlMs, waitMs, tokens, label: wish.label, share }, this)
  }

  /** How long the place in the queue is good for: for the most patient, and some time for the notice to arrive. */
  #placeMs() {
    // Rounded, so that the requests of a batch are alike, also where a sum of fractions is not what it should be.
    return Math.ceil((this.#patienceMs - this.#house.clock.nowMs()) / 100 - 1e-6) * 100 + this.#house.callMs
  }

  #queue(leftMs: number) {
    if (!this.#waiters.first) return this.#withdraw()
    this.#state = 'queued'
    this.#house.lookout.wait(this, leftMs)
  }

  #refused(leftMs: number | undefined) {
    const head = this.#waiters.first
    if (head?.how === 'once') {
      this.#waiters.delete(head)
      head.granted(null)
      // Those behind it want to wait, and the question was not asked for them.
      return this.#rest()
    }
    if (!head) return this.#rest()
    this.#state = 'polling'
    const { clock, agenda, random, pollMs } = this.#house
    const pauseMs = Math.min(pollMs, leftMs ?? pollMs) * (0.5 + random.next())
    agenda.set(this, clock.nowMs() + Math.max(1, pauseMs))
  }

  #fail(error: unknown) {
    this.#house.emit?.({ type: 'failed', key: this.key, operation: 'acquire', error })
    this.#house.reclaim(this.key, this.id, this.ttlMs)
    // The request was made for everybody in the line, and so is its answer.
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter)
      waiter.failed(error)
    }
    this.#rest()
  }

  /** Nobody waits any more: what the backend knows of the place, or has granted by now, is given back. */
  #withdraw() {
    this.#house.reclaim(this.key, this.id, this.ttlMs)
    this.#rest()
  }

  /** Nothing is held and no request is out: begins again for those who wait. */
  #rest() {
    this.#house.lookout.leave(this)
    this.#house.agenda.cancel(this)
    this.#state = 'idle'
    // A line that has left the map may be referred to by its old hash table, until that is collected too.
    this.#tenure = undefined
    if (this.#waiters.first) this.#ask()
    else this.#house.idle(this)
  }

  #begin(held: Held, sentMs: number) {
    this.#house.lookout.leave(this)
    this.#state = 'holding'
    this.#handovers = 0
    this.#wanted = false
    this.#tenure = new Tenure(this.#house, this, this, held, sentMs)
    // An answer that took longer than the ttl is not a lease.
    if (this.#tenure.trusted) this.#handOn(false)
    else this.#tenure.lose('expired')
  }

  #handOn(local: boolean) {
    const waiter = this.#waiters.first
    const token = waiter && this.#tenure!.nextToken()
    if (!waiter || token === undefined) return void this.#giveUp()
    this.#waiters.delete(waiter)
    const { clock, emit } = this.#house
    const nowMs = local ? clock.nowMs() : this.#tenure!.startedMs
    this.#tenure!.endBy(nowMs + waiter.wish.holdMaxMs)
    this.#lease = new HeldLease(this.key, token, nowMs, this.#tenure!, this)
    emit?.({ type: 'acquired', key: this.key, token, waitedMs: nowMs - waiter.sinceMs, local })
    waiter.granted(this.#lease)
  }

  /** Bounded in number and in time, so that the line of one process does not keep the others out. */
  #mayHandOn() {
    const tenure = this.#tenure!
    return (
      this.#waiters.first?.wish.ttlMs === this.ttlMs &&
      this.#handovers < this.#house.handoverMax &&
      !this.share &&
      !this.#wanted &&
      tenure.trusted &&
      this.#house.clock.nowMs() - tenure.startedMs < this.ttlMs / 3
    )
  }

  #giveUp(): Promise<boolean> {
    const { key, id, ttlMs } = this
    const { emit, outbox, reclaim } = this.#house
    const answer = new Promise<boolean>((resolve) => {
      outbox.release(
        { key, id },
        {
          answered(answer) {
            if (typeof answer === 'boolean') return resolve(answer)
            emit?.({ type: 'failed', key, operation: 'release', error: answer.error })
            reclaim(key, id, ttlMs)
            resolve(false)
          },
        },
      )
    })
    // Last, so that the agenda is not empty for a moment between the lease and the call.
    this.#tenure?.end()
    this.#rest()
    return answer
  }

  #dropLease(cause: LostCause) {
    const lease = this.#lease
    if (!lease) return
    this.#lease = undefined
    this.#house.emit?.({ type: 'lost', key: this.key, token: lease.token, cause })
    lease.lost(cause)
  }
}
