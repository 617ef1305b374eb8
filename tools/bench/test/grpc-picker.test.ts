import { expect, it } from 'vitest'
import { grpcPicker } from '../src/balancer/grpc.ts'

const configs: Parameters<typeof grpcPicker>[1][] = [
  { round_robin: {} },
  { weighted_round_robin: {} },
  { outlier_detection: { child_policy: [{ round_robin: {} }], success_rate_ejection: {} } },
]

it.each(configs)('%j picks each of its endpoints as often', (config) => {
  const picker = grpcPicker(300, config)
  const counts = new Map<string, number>()
  for (let round = 0; round < 3_000; round++) {
    const pick = picker.pick()
    picker.done(pick)
    const address = pick.subchannel!.getAddress()
    counts.set(address, (counts.get(address) ?? 0) + 1)
  }
  picker.close()
  expect(counts.size).toBe(300)
  expect(new Set(counts.values())).toEqual(new Set([10]))
})

it('outlier detection is told how calls end', () => {
  const picker = grpcPicker(2, configs[2]!)
  expect(picker.pick().onCallEnded).toBeTypeOf('function')
  picker.close()
})
