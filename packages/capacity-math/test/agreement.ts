import type { Measured } from '@headrace/capacity-math/simulate'
import { describe, expect, it } from 'vitest'

// The seed was chosen before the first run, and is the same everywhere. A formula that is right misses |z| < 4 once in 16,000 times.
export const seed = 20_261_124
export const customers = 400_000

/** Of each function, by its name, what it says beside its simulation, by what is simulated. */
export type Witnesses = Readonly<Record<string, Readonly<Record<string, () => void>>>>

export function testWitnesses(witnesses: Witnesses): void {
  describe.each(Object.entries(witnesses))('%s agrees with its simulation', (_, runs) => {
    it.each(Object.entries(runs))('%s', (_name, run) => run())
  })
}

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
  // What is certain has no error.
  const z = mean === expected ? 0 : Math.abs(mean - expected) / error
  expect(z, `${name}: simulated ${mean} ± ${error}, formula ${expected}`).toBeLessThan(4)
}

/** How often something happens in `runs` independent draws. */
export function shareOf(happens: () => boolean, runs: number = customers): Measured {
  let count = 0
  for (let i = 0; i < runs; i++) count += Number(happens())
  const share = count / runs
  return { mean: share, error: Math.sqrt((share * (1 - share)) / runs) }
}

/** The mean of `runs` independent draws. */
export function meanOf(draw: () => number, runs: number = customers): Measured {
  let [sum, squares] = [0, 0]
  for (let i = 0; i < runs; i++) {
    const value = draw()
    sum += value
    squares += value * value
  }
  const mean = sum / runs
  return { mean, error: Math.sqrt((squares / runs - mean * mean) / runs) }
}
