import {
  exponentialTime,
  simulateNetwork,
  simulatePassage,
  simulatePriority,
  simulateQueue,
  simulateRetries,
  simulateSharing,
} from '@headrace/capacity-math/simulate'
import { expect, it } from 'vitest'
import { seed, testWitnesses } from './agreement.ts'
import { batchWitnesses } from './witnesses/batches.ts'
import { lineWitnesses } from './witnesses/lines.ts'
import { valueWitnesses } from './witnesses/values.ts'

testWitnesses({ ...lineWitnesses, ...valueWitnesses, ...batchWitnesses })

it('the same seed gives the same run', () => {
  const run = (of: number) =>
    simulateQueue({
      arrivals: exponentialTime(1),
      service: exponentialTime(0.5),
      servers: 1,
      customers: 1000,
      seed: of,
    })
  expect(run(7)).toEqual(run(7))
  expect(run(8)).not.toEqual(run(7))
})

it('what would never end, or has nothing to simulate, is refused by name', () => {
  const [arrivals, service] = [exponentialTime(1), exponentialTime(2)]
  const line = { arrivals, service, servers: 1, seed }
  expect(() => simulatePassage({ ...line, from: 50, to: 0, runs: 100, eventsMax: 1000 })).toThrow(
    'to must be reached, received 0, which 1000 events did not',
  )
  expect(() => simulatePriority({ classes: [], discipline: 'nonpreemptive', customers: 1000, seed })).toThrow(
    'classes must not be empty',
  )
  const nobody = 'there must be arrivals or a population'
  expect(() => simulateNetwork({ stations: [], events: 1000, seed })).toThrow(nobody)
  expect(() => simulateSharing({ classes: [], delay: [false], events: 1000, seed })).toThrow(nobody)
  expect(() => simulateRetries({ ...line, timeout: 1, maxRetries: -1, customers: 1000 })).toThrow(
    'maxRetries must be from 0',
  )
})
