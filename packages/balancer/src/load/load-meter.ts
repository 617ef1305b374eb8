import { type AnswerWindow, answerWindow } from './answer-window.ts'
import { type ConcurrencyMeter, concurrencyMeter } from './concurrency.ts'
import { fade } from './fade.ts'
import type { MeasuredLoad, Outcome } from './load.ts'
import type { Pace } from './pace.ts'
import { type PeakLatency, peakLatency } from './peak.ts'
import { type WorkersMeter, workersMeter } from './workers.ts'

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
  #workers: WorkersMeter | undefined
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
    if (!this.#concurrency) this.#measure()
    return this.#concurrency!
  }

  get workers(): WorkersMeter {
    if (!this.#workers) this.#measure()
    return this.#workers!
  }

  get peak(): PeakLatency {
    this.#peak ??= peakLatency()
    return this.#peak
  }

  /** @returns how many have begun before. */
  begin(nowMs: number): number {
    this.#advance(nowMs)
    return this.#ended + this.inFlight++
  }

  /** @param turn is what `begin` returned for it. */
  end(outcome: Outcome, turn: number, latencyMs: number, nowMs: number): void {
    this.#advance(nowMs)
    if (outcome === 'success') this.#workers?.answered(turn - this.#ended + 1, this.inFlight, latencyMs)
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

  get #ended(): number {
    return this.succeeded + this.failed + this.ignored
  }

  #measure(): void {
    const concurrency = concurrencyMeter()
    const workers = workersMeter(this.pace.order)
    this.#concurrency = concurrency
    this.#workers = workers
    this.#window = answerWindow(answersPerEstimate, this.asOfMs, (answers, latencySumMs, elapsedMs) => {
      concurrency.windowEnded(answers, latencySumMs, elapsedMs)
      workers.windowEnded(elapsedMs)
    })
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
