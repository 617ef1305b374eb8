import { exponentialTime, simulateQueue } from '@headrace/capacity-math/simulate'
import { expect, it } from 'vitest'
import { testWitnesses } from './agreement.ts'
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
