import type { DeadInfo } from '../driver.ts'
import type { Item } from './lanes.ts'

/** The items whose results are failures, each with its reason. */
export function failed(items: readonly Item[], results: readonly PromiseSettledResult<unknown>[]): Map<Item, unknown> {
  const failures = new Map<Item, unknown>()
  results.forEach((result, at) => {
    if (result.status === 'fulfilled') return
    failures.set(items[at]!, result.reason ?? new TypeError('the handler rejected with nothing'))
  })
  return failures
}

/** The text of what a handler threw, whatever that is. */
export function textOf(error: unknown): string {
  try {
    return String(error).slice(0, 1_000)
  } catch {
    return 'an error that has no text'
  }
}

/** Why a message died that had to make room. */
export const overflowed = (attempts: number, deadAtMs: number): DeadInfo => ({
  reason: 'overflow',
  error: 'the queue was full, and this was its oldest message',
  attempts,
  deadAtMs,
})
