import {
  lateBinding,
  leastLoaded,
  little,
  type Policy,
  peakEwma,
  prequal,
  rendezvous,
  roundRobin,
  twoChoices,
} from '@headrace/balancer'
import { policyConformance, policyRules } from '@headrace/balancer/conformance'
import { brokenRules } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

const policies = [
  little(),
  lateBinding(),
  lateBinding({ slots: 6 }),
  leastLoaded(),
  roundRobin(),
  twoChoices(),
  peakEwma(),
  prequal(),
  rendezvous(),
  rendezvous({ pin: false, boundedLoad: 1.25 }),
]

describe.each(policies)('$name', (policy) => {
  policyConformance({ test: it, policy })
})

/** A policy with a bug in its picker. */
const broken = (
  pick: (it: { sound: () => number; size: number; excluded: number; count: number }) => number,
): Policy => {
  const sound = leastLoaded()
  return {
    name: 'broken',
    picker(candidates, random) {
      const picker = sound.picker(candidates, random)
      let count = 0
      return {
        ...picker,
        pick: (context) =>
          pick({
            sound: () => picker.pick(context),
            size: candidates.length,
            excluded: context.exclude?.size ?? 0,
            count: count++,
          }),
      }
    },
  }
}

let shared = 0

describe('the suite catches a policy that', () => {
  it.each<[string, string, Policy]>([
    [
      'chooses the only one there is',
      'knows no answer for one',
      broken(({ sound, size }) => (size === 1 ? -1 : sound())),
    ],
    [
      'chooses nobody who is excluded',
      'ignores what is excluded',
      { name: 'x', picker: (all, random) => ({ pick: () => Math.floor(random.next() * all.length) }) },
    ],
    [
      'gives null where all are excluded',
      'takes the first where all are excluded',
      broken(({ sound }) => Math.max(0, sound())),
    ],
    [
      'reaches everybody when all are alike',
      'forgets the last',
      {
        name: 'x',
        picker: (all, random) => leastLoaded().picker(all.length > 1 ? all.slice(0, -1) : all, random),
      },
    ],
    [
      'does not favour the order of the list',
      'begins with the first',
      broken(({ sound, count, excluded }) => (count === 0 && excluded === 0 ? 0 : sound())),
    ],
    [
      'does not give everything to one that never answers',
      'counts only what has ended',
      {
        name: 'x',
        picker: (all) => ({
          pick: ({ exclude }) => {
            const ended = all.map(({ endpoint, load }) => (exclude?.has(endpoint.id) ? Infinity : load.succeeded))
            const least = Math.min(...ended)
            return least === Infinity ? -1 : ended.indexOf(least)
          },
        }),
      },
    ],
    [
      'sends more to more weight',
      'ignores weights',
      {
        name: 'x',
        picker: (all, random) =>
          leastLoaded().picker(
            all.map(({ endpoint, load }) => ({ endpoint: { ...endpoint, weight: 1 }, load })),
            random,
          ),
      },
    ],
    [
      'chooses the same with the same seed',
      'draws its own random numbers',
      { name: 'x', picker: (all) => leastLoaded().picker(all, { next: Math.random }) },
    ],
    [
      'serves two balancers without mixing them up',
      'keeps its turn for all balancers together',
      broken(({ sound, size, excluded }) => {
        shared++
        return size === 5 && excluded === 0 ? shared % 5 : sound()
      }),
    ],
  ])('%s: %s', async (rule, _, policy) => {
    const caught = await brokenRules(policyRules, { supports: {}, create: () => ({ subject: policy }) })
    expect(caught).toContain(rule)
  })
})
