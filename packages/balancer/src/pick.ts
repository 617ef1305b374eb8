import type { Endpoint } from './endpoint.ts'
import { checkOutcome, type Outcome } from './load/load.ts'
import type { Member } from './member.ts'

export interface PickOptions {
  /** What the work is about; policies that keep a key in one place look at it. */
  readonly key?: string | undefined
  /** Ids that must not be picked. */
  readonly exclude?: ReadonlySet<string> | undefined
  /** How long the work may take. A pick that could not be answered within it is not made. */
  readonly deadlineMs?: number | undefined
}

/** One endpoint for one piece of work. It counts as in flight until `done`. */
export interface Pick<Metadata = unknown> extends Disposable {
  readonly endpoint: Endpoint<Metadata>
  /** Grows with every change of the endpoints. */
  readonly epoch: number
  /**
   * Says how the work ended. Only the first call counts, and each later one returns false.
   * @throws TypeError for anything but the three outcomes.
   */
  done(outcome: Outcome): boolean
}

/** A class, because closures and the computed key of `using` make each pick several times as expensive. */
export class OpenPick<Metadata> implements Pick<Metadata> {
  readonly endpoint: Endpoint<Metadata>
  readonly epoch: number
  readonly member: Member<Metadata>
  readonly startMs: number
  /** How many were sent to the member before it. */
  readonly turn: number
  /** What was foretold. */
  readonly expectedMs: number
  /** On which it holds a pin. */
  readonly pinnedKey: string | undefined
  #ended: ((pick: OpenPick<Metadata>, outcome: Outcome) => void) | undefined

  constructor(
    member: Member<Metadata>,
    epoch: number,
    startMs: number,
    turn: number,
    expectedMs: number,
    pinnedKey: string | undefined,
    ended: (pick: OpenPick<Metadata>, outcome: Outcome) => void,
  ) {
    this.endpoint = member.endpoint
    this.epoch = epoch
    this.member = member
    this.startMs = startMs
    this.turn = turn
    this.expectedMs = expectedMs
    this.pinnedKey = pinnedKey
    this.#ended = ended
  }

  done(outcome: Outcome): boolean {
    checkOutcome(outcome)
    const ended = this.#ended
    if (!ended) return false
    this.#ended = undefined
    ended(this, outcome)
    return true
  }

  [Symbol.dispose](): void {
    this.done('ignored')
  }
}
