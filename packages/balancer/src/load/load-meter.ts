import { type AnswerWindow, answerWindow } from './answer-window.ts'
import { type ConcurrencyMeter, concurrencyMeter } from './concurrency.ts'
import { fade } from './fade.ts'
import type { MeasuredLoad, Outcome } from './load.ts'
import type { Pace } from './pace.ts'
import { type PeakLatency, peakLatency } from './peak.ts'

// The extremes of several means are taken, so each must be a good one, also where latencies have a heavy tail.
const answersPerEstimate = 100

// Places of the sums. In an array, because V8 gives each fraction that is written to a field a place of its own in memory, and
// with ten thousand endpoints a pick would wait for one after the other.
const asOf = 0
const area = 1
const answered = 2
const warmAt = 3
const warmUp = 4

/** A load that is being counted: one `end` for each `begin`. A class, because its lazy parts would make a literal slow. */
export class LoadMeter implements MeasuredLoad {
  readonly pace: Pace
  inFlight = 0
  succeeded = 0
  failed = 0
  ignored = 0
  readonly #sums = new Float64Array(5)
  #concurrency: ConcurrencyMeter | undefined
  #window: AnswerWindow | undefined
  #peak: PeakLatency | undefined

  constructor(pace: Pace, nowMs: number) {
    this.pace = pace
    this.#sums[asOf] = nowMs
    this.#sums[warmAt] = nowMs
  }

  get asOfMs(): number {
    return this.#sums[asOf]!
  }

  get areaMs(): number {
    return this.#sums[area]!
  }

  get answers(): number {
    return this.#sums[answered]!
  }

  get warmAtMs(): number {
    return this.#sums[warmAt]!
  }

  get warmUpMs(): number {
    return this.#sums[warmUp]!
  }

  get concurrency(): ConcurrencyMeter {
    if (!this.#concurrency) {
      this.#concurrency = concurrencyMeter()
      this.#window = answerWindow(answersPerEstimate, this.asOfMs, this.#concurrency.windowEnded)
    }
    return this.#concurrency
  }

  get peak(): PeakLatency {
    this.#peak ??= peakLatency()
    return this.#peak
  }

  begin(nowMs: number): void {
    this.#advance(nowMs)
    this.inFlight++
  }

  end(outcome: Outcome, latencyMs: number, nowMs: number): void {
    this.#advance(nowMs)
    this.inFlight--
    if (outcome === 'success') {
      this.succeeded++
      this.#sums[answered]!++
      this.pace.answered(latencyMs, nowMs)
      this.#window?.answered(latencyMs, nowMs)
      this.#peak?.answered(latencyMs, nowMs)
    } else if (outcome === 'failure') {
      this.failed++
      // Without an answer beside it: time spent over answers got is the estimator for lifetimes of which some were
      // cut off. An endpoint that fails at once would otherwise be the fastest of all.
      this.#sums[area]! += this.pace.failureMs
      this.#peak?.answered(Math.max(latencyMs, this.pace.failureMs), nowMs)
    } else this.ignored++
  }

  /** Takes the endpoint in slowly from now on. */
  warmUp(nowMs: number, durationMs: number): void {
    this.#sums[warmAt] = nowMs + durationMs
    this.#sums[warmUp] = durationMs
  }

  #advance(nowMs: number): void {
    const sums = this.#sums
    const elapsedMs = nowMs - sums[asOf]!
    // A clock that went back must not take anything away.
    if (!(elapsedMs > 0)) return
    const { fadeMs, perFadeMs } = this.pace
    const left = fade(elapsedMs * perFadeMs)
    sums[area] = sums[area]! * left + this.inFlight * fadeMs * (1 - left)
    sums[answered]! *= left
    sums[asOf] = nowMs
  }
}
