import type { ServiceOrder } from './service-order.ts'

/**
 * How many an endpoint works on at once, learnt from who overtakes whom: of those that wait in line nobody has begun, so what
 * ends is among the oldest in flight, as many as there are workers. How fast they are, how long the work is
 * and how much of it is sent make no difference.
 */
export interface WorkersMeter {
  /** The most that were seen to be worked on at once, of the last thousand answers; 0 until a first hundred. */
  readonly count: number
  /** The shortest time to an answer, slowly forgotten: little else than the way there and back. */
  readonly latencyMinMs: number
  /**
   * Work was answered.
   * @param place how many of those in flight were sent no later than it, itself included; at least, because those that were
   *   sent later and have ended already are taken off.
   * @param inFlight itself included.
   */
  answered(place: number, inFlight: number, latencyMs: number): void
  windowEnded(elapsedMs: number): void
}

const windows = 10
// While there is a line, the shortest time includes it, and what is let in for its sake makes the line longer. So it takes
// long to believe that the way has become longer; BBR takes ten seconds for the same.
const forgetMs = 30_000

export function workersMeter(order: ServiceOrder): WorkersMeter {
  const places = new Float64Array(windows)
  let at = 0
  // Fields, because V8 allocates anew for each write of a fraction to a captured variable.
  const meter = {
    count: 0,
    latencyMinMs: 0,
    seen: 0,
    placeMax: 0,
    latencyNextMs: Number.POSITIVE_INFINITY,
    answered(place: number, inFlight: number, latencyMs: number) {
      // One more than is known may be due to windows that have ended.
      const known = meter.seen + 1
      if (meter.seen > 0 && inFlight > known) order.ended(place, known)
      if (place > meter.seen) meter.seen = place
      if (place > meter.placeMax) meter.placeMax = place
      if (latencyMs < meter.latencyNextMs) meter.latencyNextMs = latencyMs
      if (meter.count > 0) meter.count = meter.seen
    },
    windowEnded(elapsedMs: number) {
      places[at] = meter.placeMax
      at = (at + 1) % windows
      const remembered = meter.count > 0 ? meter.latencyMinMs * (1 + elapsedMs / forgetMs) : Number.POSITIVE_INFINITY
      meter.latencyMinMs = Math.min(meter.latencyNextMs, remembered)
      meter.seen = Math.max(...places)
      meter.count = meter.seen
      meter.placeMax = 0
      meter.latencyNextMs = Number.POSITIVE_INFINITY
    },
  }
  return meter
}
