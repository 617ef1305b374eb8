import type { Endpoint } from './endpoint.ts'
import type { Outcome } from './load/load.ts'

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

/** A class, because a literal with the computed key of `using` makes each pick several times as expensive. */
export class OpenPick<Metadata> implements Pick<Metadata> {
  readonly endpoint: Endpoint<Metadata>
  readonly epoch: number
  readonly done: Pick['done']

  /** @param done must do nothing but return false from the second time on. */
  constructor(endpoint: Endpoint<Metadata>, epoch: number, done: Pick['done']) {
    this.endpoint = endpoint
    this.epoch = epoch
    this.done = done
  }

  [Symbol.dispose](): void {
    this.done('ignored')
  }
}
