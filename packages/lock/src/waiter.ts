import { abortedError, HeadraceError } from '@headrace/core'
import type { Agenda, Due } from './agenda.ts'
import type { Entry } from './fifo.ts'
import type { Lease } from './lease.ts'
import type { Line } from './line.ts'
import type { Wish } from './options.ts'

/** Counts the callers who wait, over all lines. */
export interface WaitingRoom {
  waiting: number
}

/** A caller who waits for a lease: for its turn, for the end of its patience or for its signal, whichever is first. */
export class Waiter implements Entry, Due {
  before: Entry | undefined = undefined
  after: Entry | undefined = undefined
  atMs = 0
  place = -1
  readonly wish: Wish
  /** `once`: takes the first answer, null where the key is held. */
  readonly how: 'once' | 'wait'
  readonly sinceMs: number
  readonly #line: Line
  readonly #agenda: Agenda
  readonly #room: WaitingRoom
  readonly #resolve: (lease: Lease | null) => void
  readonly #reject: (error: unknown) => void

  constructor(
    line: Line,
    wish: Wish,
    how: 'once' | 'wait',
    nowMs: number,
    agenda: Agenda,
    room: WaitingRoom,
    resolve: (lease: Lease | null) => void,
    reject: (error: unknown) => void,
  ) {
    this.wish = wish
    this.how = how
    this.sinceMs = nowMs
    this.#line = line
    this.#agenda = agenda
    this.#room = room
    this.#resolve = resolve
    this.#reject = reject
    room.waiting++
    agenda.set(this, nowMs + wish.waitMs)
    wish.signal?.addEventListener('abort', this, { once: true })
  }

  granted(lease: Lease | null): void {
    this.#settle()
    this.#resolve(lease)
  }

  failed(error: unknown): void {
    this.#settle()
    this.#reject(error)
  }

  /** Leaves the line with an error. */
  sendAway(error: unknown): void {
    this.#line.leave(this)
    this.failed(error)
  }

  due(): void {
    this.sendAway(new HeadraceError('TIMEOUT', `"${this.#line.key}" was not free within ${this.wish.waitMs} ms`))
  }

  /** The signal's event. */
  handleEvent(): void {
    this.sendAway(abortedError(this.wish.signal!, 'the acquisition'))
  }

  #settle() {
    this.#room.waiting--
    this.#agenda.cancel(this)
    this.wish.signal?.removeEventListener('abort', this)
  }
}
