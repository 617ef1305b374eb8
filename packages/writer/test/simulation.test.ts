import { randomBelow, seededRandom } from '@headrace/core'
import type { Ledger, Store } from '@headrace/writer'
import { describe, expect, it } from 'vitest'
import { type Fault, faults, type Plan } from './simulation/nemesis.ts'
import { type Scenario, simulate } from './simulation/simulate.ts'

const small = { seed: 1, clients: 3, writes: 3 }
const peace: Plan = () => undefined

/** A fault at about every seventh of the first steps, different ones in every run. */
function randomPlan(seed: number): Plan {
  const random = seededRandom(seed ^ 0x5eed)
  const share = 0.05 + random.next() * 0.2
  const stepsMax = 150
  return (step) => {
    const draw = random.next()
    const fault = faults[randomBelow(random, faults.length)]
    return step < stepsMax && draw < share ? fault : undefined
  }
}

const randomScenario = (seed: number): Scenario => ({
  seed,
  plan: randomPlan(seed),
  clients: 2 + (seed % 5),
  writes: 6,
  partitions: 1 + (seed % 2),
  locked: seed % 3 === 0,
})

/** What a failure says: what was wrong, and the command that runs precisely this again. */
async function check(scenario: Scenario): Promise<void> {
  const { found } = await simulate(scenario).catch((error: unknown) => ({ found: [String(error)] }))
  if (found.length === 0) return
  const again = `HEADRACE_SEED=${scenario.seed} pnpm vitest run test/simulation.test.ts -t 'any faults'`
  throw new Error(`seed ${scenario.seed}:\n  ${found.join('\n  ')}\n  again: ${again}`)
}

describe('exactly once, in order, and nothing lost', () => {
  it('holds in peace', async () => {
    const { found, evidence } = await simulate({ ...small, plan: peace })
    expect(found).toEqual([])
    expect(evidence.stored.receipts.length).toBeGreaterThan(5)
  })

  it.each(faults)(
    'holds with %s at any one step',
    async (fault) => {
      const { steps } = await simulate({ ...small, plan: peace })
      for (let at = 0; at < steps; at++) {
        const { found } = await simulate({ ...small, plan: (step) => (step === at ? fault : undefined) })
        expect(found, `${fault} at step ${at}`).toEqual([])
      }
    },
    60_000,
  )

  it.each<[Fault, Fault]>([
    ['late', 'crash-before'],
    ['hang-after', 'takeover-after'],
    ['error-after', 'crash-after'],
    ['takeover-before', 'late'],
  ])(
    'holds with %s at any step, and %s three steps later',
    async (first, second) => {
      const { steps } = await simulate({ ...small, plan: peace })
      for (let at = 0; at < steps; at++) {
        const plan: Plan = (step) => (step === at ? first : step === at + 3 ? second : undefined)
        expect((await simulate({ ...small, plan })).found, `${first} at step ${at}`).toEqual([])
      }
    },
    60_000,
  )

  const given = process.env['HEADRACE_SEED']
  const count = Number(process.env['HEADRACE_SEEDS'] ?? 300)
  const seeds = given === undefined ? Array.from({ length: count }, (_, seed) => seed) : [Number(given)]
  it(`holds with any faults at any steps, ${seeds.length} runs`, async () => {
    for (const seed of seeds) await check(randomScenario(seed))
  }, 600_000)
})

const changed =
  (change: (good: Ledger) => Partial<Ledger>) =>
  (store: Store): Store => ({
    async open(name, partitions) {
      const good = await store.open(name, partitions)
      return { ...good, ...change(good) }
    },
  })

/** Each of these breaks a promise, and must be seen. */
const broken: [what: string, tamper: NonNullable<Scenario['tamper']>, promise: string][] = [
  [
    'a store that does not check the fence',
    (store) => {
      let token = 0n
      return changed((good) => ({
        async seal(partition) {
          await good.seal(partition, 1n)
          return ++token
        },
        commit: (batch) => good.commit({ ...batch, token: 1n }),
      }))(store)
    },
    'fence',
  ],
  [
    'a lane that takes an error for "nothing happened"',
    // The error is lost before the lane sees it: what it is told instead is that nothing was written.
    changed((good) => {
      let commits = 0
      return {
        async commit(batch) {
          const outcome = await good.commit(batch)
          return ++commits % 3 === 0 ? { type: 'stale' } : outcome
        },
      }
    }),
    'nothing happened',
  ],
  [
    'a lane that answers before the commit',
    (store, clock) =>
      changed((good) => ({
        async commit(batch) {
          clock.after(10, () => void good.commit(batch))
          return { type: 'committed' }
        },
      }))(store),
    'lost',
  ],
  [
    'a store that forgets receipts',
    changed((good) => ({ commit: (batch) => good.commit({ ...batch, receipts: batch.receipts.slice(1) }) })),
    'sequences',
  ],
  [
    'a store that loses a state',
    changed((good) => ({ commit: (batch) => good.commit({ ...batch, states: batch.states.slice(1) }) })),
    'decisions',
  ],
  [
    'a store that forgets events before they are published',
    changed((good) => ({ outbox: async (partition, limit) => (await good.outbox(partition, limit)).slice(1) })),
    'events',
  ],
  [
    'a queue that gets events in another order',
    changed((good) => ({ outbox: async (partition, limit) => (await good.outbox(partition, limit)).toReversed() })),
    'events',
  ],
]

describe('the checker catches', () => {
  it.each(broken)(
    '%s',
    async (_, tamper, promise) => {
      const promises = new Set<string>()
      for (let seed = 0; seed < 40 && !promises.has(promise); seed++) {
        const { found } = await simulate({ ...randomScenario(seed), tamper }).catch(() => ({ found: [] as string[] }))
        for (const each of found) promises.add(each.split(':')[0]!)
      }
      expect([...promises]).toContain(promise)
    },
    60_000,
  )
})
