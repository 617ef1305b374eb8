/**
 * Whether the endpoints of a fleet work on what came first and let the rest wait, as a pool of workers does, or on everything at
 * once, as an event loop does.
 */
export interface ServiceOrder {
  /** False until it has been seen often enough. */
  readonly isKept: boolean
  /**
   * Work has ended where more than `workers` were in flight; `place` says how many of those were sent no later than it, itself
   * included.
   */
  ended(place: number, workers: number): void
}

// Where everything is worked on at once, the last of n overtakes all the others about once in n times. So each that comes from
// place n counts n, one on average; a quarter of that is too little.
const shareMax = 0.25
const weight = 1 / 200

export function serviceOrder(): ServiceOrder {
  // Fields, because V8 allocates anew for each write of a fraction to a captured variable.
  const order = {
    isKept: false,
    /** Of what chance would have: 1 where all is worked on at once. */
    overtaken: 1,
    ended(place: number, workers: number) {
      order.overtaken += ((place > workers ? place : 0) - order.overtaken) * weight
      order.isKept = order.overtaken < shareMax
    },
  }
  return order
}
