import type { Measured } from '@headrace/capacity-math/simulate'
import { expect } from 'vitest'

// The seed was chosen before the first run, and is the same everywhere. A formula that is right misses |z| < 4 once in 16,000 times.
export const seed = 20_261_124
export const customers = 400_000

export function stable<Queue extends { readonly stable: boolean }>(
  queue: Queue,
): Extract<Queue, { readonly stable: true }> {
  if (!queue.stable) throw new Error('unstable')
  return queue as Extract<Queue, { readonly stable: true }>
}

/** Of a share so small that few of the customers are in it the batches say nothing. */
export function expectShare(name: string, measured: Measured, expected: number): void {
  if (expected * customers > 200) expectAgreement(name, measured, expected)
}

export function expectAgreement(name: string, { mean, error }: Measured, expected: number): void {
  expect(Math.abs(mean - expected) / error, `${name}: simulated ${mean} ± ${error}, formula ${expected}`).toBeLessThan(
    4,
  )
}
