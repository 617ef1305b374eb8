import { expect, it } from 'vitest'
import balancer from '../src/balancer.bench.ts'
import { runBench } from '../src/run-bench.ts'

it('a scenario of the user is measured in place of the fleets, with every policy', async () => {
  const scenario = { endpoints: [{}, { workers: 2 }], utilization: 0.5, requests: 2_005, warmUpRequests: 1_000 }
  const rows = await runBench('balancer', { ...balancer, cases: balancer.casesOf!(scenario) }, { quick: true })
  expect(rows.filter(({ ours, peer }) => ours > 0 && peer! > 0)).toHaveLength(6 * 2 + 2 * 2)
  const bad = { ...balancer, cases: balancer.casesOf!({ ...scenario, utilization: 'half' }) }
  await expect(runBench('balancer', bad, { quick: true })).rejects.toThrow('utilization must be a number')
})
