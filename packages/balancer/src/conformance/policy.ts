import assert from 'node:assert/strict'
import { seededRandom } from '@headrace/core'
import { type ConformanceOptions, manualClock, type Rule, runConformance } from '@headrace/core/testing'
import { type Balancer, createBalancer } from '../balancer.ts'
import { staticEndpoints } from '../discovery/static.ts'
import type { Pick } from '../pick.ts'
import type { Policy } from '../policies/policy.ts'

/** What every policy keeps to. A policy that looks at keys is given one key per pick. */
export const policyRules: readonly Rule<Policy>[] = [
  {
    name: 'chooses the only one there is',
    check: async (policy) => {
      assert.deepEqual(distinct(ids(fleet(policy, 1), 5)), ['0'])
    },
  },
  {
    name: 'chooses nobody who is excluded',
    check: async (policy) => {
      for (const size of [2, 3, 100]) {
        const balancer = fleet(policy, size)
        const exclude = new Set(names(size).slice(1))
        for (let index = 0; index < 50; index++) {
          const pick = balancer.pick({ key: `key ${index}`, exclude })
          assert.equal(pick?.endpoint.id, '0')
          pick.done('success')
        }
      }
    },
  },
  {
    name: 'gives null where all are excluded',
    check: async (policy) => {
      for (const size of [1, 2, 100]) {
        assert.equal(fleet(policy, size).pick({ key: 'key', exclude: new Set(names(size)) }), null)
      }
    },
  },
  {
    name: 'reaches everybody when all are alike',
    check: async (policy) => {
      for (const size of [2, 3, 100]) {
        const balancer = fleet(policy, size)
        const seen = new Set<string>()
        for (let index = 0; index < size * 30; index++) {
          const pick = balancer.pick({ key: `key ${index}` })!
          seen.add(pick.endpoint.id)
          pick.done('success')
        }
        assert.equal(seen.size, size)
      }
    },
  },
  {
    name: 'does not favour the order of the list',
    check: async (policy) => {
      const firsts = Array.from({ length: 200 }, (_, seed) => fleet(policy, 4, seed).pick({ key: `key ${seed}` })!)
      const counts = names(4).map((name) => firsts.filter(({ endpoint }) => endpoint.id === name).length)
      // 50 of 200 are expected, with a standard deviation of 6.
      for (const count of counts) assert.ok(count > 20 && count < 80, `first picks: ${counts}`)
    },
  },
  {
    name: 'does not give everything to one that never answers',
    check: async (policy) => {
      for (const size of [2, 100]) {
        const balancer = fleet(policy, size)
        let stuck = 0
        for (let index = 0; index < size * 20; index++) {
          const pick = balancer.pick({ key: `key ${index}` })
          if (pick?.endpoint.id === '0') stuck++
          else pick?.done('success')
        }
        // An even share is 20.
        assert.ok(stuck <= 40, `${stuck} of ${size * 20} went to it`)
      }
    },
  },
  {
    name: 'sends more to more weight',
    check: async (policy) => {
      const balancer = createBalancer(staticEndpoints([{ address: 'light' }, { address: 'heavy', weight: 4 }]), {
        policy,
        clock: manualClock(),
        random: seededRandom(1),
      })
      const inFlight: Pick[] = []
      let heavy = 0
      for (let index = 0; index < 200; index++) {
        const pick = balancer.pick({ key: `key ${index}` })!
        if (pick.endpoint.id === 'heavy') heavy++
        if (inFlight.push(pick) > 5) inFlight.shift()!.done('success')
      }
      assert.ok(heavy > 120 && heavy < 200, `${heavy} of 200 went to four times the weight`)
    },
  },
  {
    name: 'chooses the same with the same seed',
    check: async (policy) => {
      assert.deepEqual(ids(fleet(policy, 20, 7), 200), ids(fleet(policy, 20, 7), 200))
    },
  },
  {
    name: 'serves two balancers without mixing them up',
    check: async (policy) => {
      const alone = ids(fleet(policy, 5, 3), 40)
      const balancer = fleet(policy, 5, 3)
      const other = fleet(policy, 3, 4)
      const beside = Array.from({ length: 40 }, (_, index) => {
        other.pick({ key: 'other' })
        return balancer.pick({ key: `key ${index}` })?.endpoint.id
      })
      assert.deepEqual(
        beside.filter((id) => id !== undefined),
        alone,
      )
    },
  },
]

/** Registers one test for each rule with the runner of your choice. */
export function policyConformance(
  options: Omit<ConformanceOptions<Policy, Record<string, never>>, 'create' | 'supports'> & { readonly policy: Policy },
): void {
  const { policy, ...rest } = options
  runConformance(policyRules, { ...rest, supports: {}, create: () => ({ subject: policy }) })
}

function fleet(policy: Policy, size: number, seed = 1): Balancer {
  const endpoints = staticEndpoints(names(size).map((address) => ({ address })))
  return createBalancer(endpoints, { policy, clock: manualClock(), random: seededRandom(seed) })
}

function names(size: number): string[] {
  return Array.from({ length: size }, (_, index) => `${index}`)
}

/** Who gets so many picks, none of which ends; a policy that holds back may stop before. */
function ids(balancer: Balancer, picks: number): string[] {
  return Array.from({ length: picks }, (_, index) => balancer.pick({ key: `key ${index}` })?.endpoint.id).filter(
    (id) => id !== undefined,
  )
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)]
}
