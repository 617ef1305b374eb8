import type { Random } from '@headrace/core'

/**
 * The pause before the next question to a source that has been away for `awayMs`: a twentieth of that, so that the source is
 * found again soon after a short outage and hardly bothered during a long one. Jittered, from `minMs` to `maxMs`.
 */
export function outagePauseMs(
  awayMs: number,
  random: Random,
  { minMs, maxMs }: { readonly minMs: number; readonly maxMs: number },
): number {
  return Math.min(maxMs, Math.max(minMs, awayMs / 20)) * (0.5 + random.next() / 2)
}
