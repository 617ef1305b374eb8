import { checkNumber } from '@headrace/core'

export interface BudgetOptions {
  /** Repetitions per call, over all calls. 0.2 by default. */
  readonly share?: number | undefined
  /** And so many in any case, so that a client with few calls can repeat at all. 10 by default. */
  readonly perSec?: number | undefined
}

/** What retries and hedges together may send in addition to the calls themselves: one account for both. */
export interface Budget {
  /** A call begins, and pays in its share. */
  deposit(): void
  /** To be asked when the repetition is sent, not when it is planned. */
  withdraw(nowMs: number): boolean
}

// More is not saved up: a long calm must not pay for a storm.
const savingSec = 10

export function createBudget({ share = 0.2, perSec = 10 }: BudgetOptions, startMs: number): Budget {
  checkNumber('retryBudget.share', share, { min: 0, max: 10 })
  checkNumber('retryBudget.perSec', perSec, { min: 0 })
  // At least one, or a share alone would never add up to a whole repetition.
  const savedMax = Math.max(1, savingSec * perSec, 100 * share)
  const account = { tokens: perSec, sinceMs: startMs }
  return {
    deposit() {
      account.tokens = Math.min(savedMax, account.tokens + share)
    },
    withdraw(nowMs) {
      const elapsedSec = Math.max(0, nowMs - account.sinceMs) / 1e3
      account.tokens = Math.min(savedMax, account.tokens + elapsedSec * perSec)
      account.sinceMs = nowMs
      // Five fifths are a little less than one.
      if (account.tokens < 1 - 1e-9) return false
      account.tokens--
      return true
    },
  }
}
