import { type AnswerWindow, answerWindow } from './answer-window.ts'
import { type ConcurrencyMeter, concurrencyMeter } from './concurrency.ts'
import { fade } from './fade.ts'
import type { MeasuredLoad, Outcome } from './load.ts'
import type { Pace } from './pace.ts'
import { type PeakLatency, peakLatency } from './peak.ts'

// The extremes of several means are taken, so each must be a good one, also where latencies have a heavy tail.
const answersPerEstimate = 100

/** A load that is being counted: one `end` for each `begin`. A class, because its lazy parts would make a literal slow. */
export class LoadMeter implements MeasuredLoad {
  readonly pace: Pace
  inFlight = 0
  succeeded = 0
  failed = 0
  ignored = 0
  asOfMs: number
  areaMs = 0
  answers = 0
  warmAtMs: number
  warmUpMs = 0
  #concurrency: ConcurrencyMeter | undefined
  #window: AnswerWindow | undefined
  #peak: PeakLatency | undefined

  constructor(pace: Pace, nowMs: number) {
    this.pace = pace
    this.asOfMs = nowMs
    this.warmAtMs = nowMs
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
      this.answers++
      this.pace.answered(latencyMs, nowMs)
      this.#window?.answered(latencyMs, nowMs)
      this.#peak?.answered(latencyMs, nowMs)
    } else if (outcome === 'failure') {
      this.failed++
      // Without an answer beside it: time spent over answers got is the estimator for lifetimes of which some were
      // cut off. An endpoint that fails at once would otherwise be the fastest of all.
      this.areaMs += this.pace.failureMs
      this.#peak?.answered(Math.max(latencyMs, this.pace.failureMs), nowMs)
    } else this.ignored++
  }

  /** Takes the endpoint in slowly from now on. */
  warmUp(nowMs: number, durationMs: number): void {
    this.warmAtMs = nowMs + durationMs
    this.warmUpMs = durationMs
  }

  #advance(nowMs: number): void {
    const elapsedMs = nowMs - this.asOfMs
    // A clock that went back must not take anything away.
    if (!(elapsedMs > 0)) return
    const { fadeMs, perFadeMs } = this.pace
    const left = fade(elapsedMs * perFadeMs)
    this.areaMs = this.areaMs * left + this.inFlight * fadeMs * (1 - left)
    this.answers *= left
    this.asOfMs = nowMs
  }
}
