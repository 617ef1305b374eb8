import { exponentialBackoff, type Random } from '@headrace/core'
import type { Failed } from './driver.ts'
import type { House } from './house.ts'

// An outage in which every attempt leaves an unknown outcome must not fill the memory; over this the ttl has to do.
const reclaimsMax = 10_000

/**
 * Undoes what an attempt of unknown outcome may have left at the backend: without it the key stays locked, with no
 * owner, until the ttl ends. Tries for one ttl, after which there is nothing left to undo.
 */
export function createReclaim(
  house: Pick<House, 'clock' | 'agenda' | 'outbox'>,
  random: Random,
): { reclaim: House['reclaim']; close(): void } {
  const { clock, agenda, outbox } = house
  const backoff = exponentialBackoff({ delayMinMs: 20, delayMaxMs: 1_000, random })
  let running = 0
  let closed = false

  return {
    reclaim(key, id, ttlMs) {
      if (running >= reclaimsMax) return
      running++
      const untilMs = clock.nowMs() + ttlMs
      let attempts = 1
      const attempt = {
        atMs: 0,
        place: -1,
        due: () => outbox.release({ key, id }, attempt),
        answered(answer: boolean | Failed) {
          const nowMs = clock.nowMs()
          if (typeof answer === 'boolean' || closed || nowMs >= untilMs) running--
          else agenda.set(attempt, nowMs + backoff(attempts++))
        },
      }
      attempt.due()
    },
    /** What is under way is tried once more at most. */
    close() {
      closed = true
    },
  }
}
