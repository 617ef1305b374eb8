import { seededRandom } from '@headrace/core'
import { expect, it } from 'vitest'
import { batchTime } from '../src/batch-time.ts'

it('predicts nothing before it has seen anything', () => {
  const time = batchTime()
  expect([time.predictMs(10), time.usualWrites, time.deviationMs]).toEqual([0, 0, 0])
})

it('finds the line of batches that lie on one', () => {
  const time = batchTime()
  for (const writes of [1, 50, 200, 7]) time.observe(writes, 3 + 0.25 * writes)
  expect(time.fixedMs).toBeCloseTo(3, 9)
  expect(time.perWriteMs).toBeCloseTo(0.25, 9)
  expect(time.predictMs(1_000)).toBeCloseTo(253, 6)
  for (let batch = 0; batch < 100; batch++) time.observe(1 + batch, 3 + 0.25 * (1 + batch))
  expect(time.deviationMs).toBeLessThan(0.5)
})

it('takes all for fixed while batches have one size', () => {
  const time = batchTime()
  for (let batch = 0; batch < 10; batch++) time.observe(100, 20)
  expect(time.predictMs(1)).toBeCloseTo(20, 9)
  expect(time.predictMs(100)).toBeCloseTo(20, 9)
})

it('never predicts that more writes take less, nor a negative time', () => {
  const time = batchTime()
  time.observe(1, 50)
  time.observe(1_000, 1)
  expect(time.predictMs(1_000)).toBeGreaterThanOrEqual(time.predictMs(1))
  expect(time.predictMs(1)).toBeGreaterThan(0)
  const steep = batchTime()
  steep.observe(10, 1)
  steep.observe(11, 100)
  expect(steep.fixedMs).toBeGreaterThanOrEqual(0)
})

it('forgets: after a change of the store it follows within a hundred batches', () => {
  const time = batchTime()
  for (let batch = 0; batch < 200; batch++) time.observe(1 + (batch % 100), 100)
  for (let batch = 0; batch < 100; batch++) time.observe(1 + (batch % 100), 2)
  expect(time.predictMs(50)).toBeLessThan(10)
  expect(time.usualWrites).toBeGreaterThan(10)
})

it('tells how far batches lie off the line', () => {
  const time = batchTime()
  const random = seededRandom(3)
  for (let batch = 0; batch < 500; batch++) {
    const writes = 1 + Math.floor(random.next() * 100)
    // Uniform on 10 ms: 2.5 ms off the middle on average.
    time.observe(writes, 10 + 0.1 * writes + (random.next() - 0.5) * 10)
  }
  expect(time.deviationMs).toBeGreaterThan(2.5 / 1.4)
  expect(time.deviationMs).toBeLessThan(2.5 * 1.4)
})

it('is not thrown off by one batch that was stuck', () => {
  const time = batchTime()
  for (let batch = 0; batch < 100; batch++) time.observe(1 + (batch % 10), 2)
  time.observe(5, 100)
  for (let batch = 0; batch < 10; batch++) time.observe(1 + (batch % 10), 2)
  expect(time.predictMs(10) + 4 * time.deviationMs).toBeLessThan(25)
})
