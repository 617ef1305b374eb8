import { betterOfTwo } from './better-of-two.ts'
import { inFlightPerShare } from './least-loaded.ts'
import type { Policy } from './policy.ts'

/** The less loaded of two drawn at random: cheap at any number of endpoints, and far from the best where they differ. */
export function twoChoices(): Policy {
  return {
    name: 'two-choices',
    cost: inFlightPerShare,
    picker: (candidates, random) => betterOfTwo(candidates, random, inFlightPerShare),
  }
}
