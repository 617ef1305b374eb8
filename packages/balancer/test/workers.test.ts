import { randomBelow, seededRandom } from '@headrace/core'
import { describe, expect, it } from 'vitest'
import { LoadMeter } from '../src/load/load-meter.ts'
import { createPace } from '../src/load/pace.ts'

/** An endpoint that is given work and ends it at random, of the oldest `atOnce` in flight. */
function endpoint(latencyMs = 10) {
  const pace = createPace(0)
  const load = new LoadMeter(pace, 0)
  const random = seededRandom(1)
  const turns: number[] = []
  let nowMs = 0
  // Measured from the first time it is asked for.
  void load.workers
  function run(answers: number, atOnce: number, inFlightMax = 12): void {
    for (let answered = 0; answered < answers; ) {
      nowMs++
      if (turns.length === 0 || (turns.length < inFlightMax && random.next() < 0.6)) turns.push(load.begin(nowMs))
      else {
        const [turn] = turns.splice(randomBelow(random, Math.min(atOnce, turns.length)), 1)
        load.end('success', turn!, latencyMs, nowMs)
        answered++
      }
    }
  }
  return { pace, load, turns, run }
}

describe('the workers of an endpoint', () => {
  it.each([1, 3, 8])('that has %i are those that may end next, however long the line is', (workers) => {
    const { pace, load, run } = endpoint()
    expect(load.workers.count).toBe(0)
    run(1_000, workers)
    expect(load.workers.count).toBe(workers)
    expect(pace.order.isKept).toBe(true)
    run(1_000, workers, 40)
    expect(load.workers.count).toBe(workers)
  })

  it('are believed only where nothing overtakes the line: not where everything is worked on at once', () => {
    const { pace, run } = endpoint()
    for (const inFlightMax of [4, 40, 8, 16, 400]) {
      run(2_000, Number.POSITIVE_INFINITY, inFlightMax)
      expect(pace.order.isKept).toBe(false)
    }
  })

  it('are not believed any more soon after the endpoint has begun to work on everything at once', () => {
    const { pace, run } = endpoint()
    run(1_000, 3, 40)
    expect(pace.order.isKept).toBe(true)
    run(200, Number.POSITIVE_INFINITY, 40)
    expect(pace.order.isKept).toBe(false)
  })

  it('rise with the first answer that shows more, and fall a thousand answers after some have gone', () => {
    const { load, run } = endpoint()
    run(1_000, 3)
    run(50, 8)
    expect(load.workers.count).toBeGreaterThan(5)
    run(1_100, 2)
    expect(load.workers.count).toBe(2)
  })

  it('do not seem more when callers withdraw what waits', () => {
    const { load, turns, run } = endpoint()
    run(1_000, 3)
    for (let round = 0; round < 200; round++) {
      run(10, 3)
      if (turns.length > 5) load.end('ignored', turns.splice(4, 1)[0]!, 1, 0)
    }
    expect(load.workers.count).toBe(3)
  })
})

describe('the way to an endpoint', () => {
  it('is the shortest time of late, and is believed to be longer only slowly', () => {
    const near = endpoint(10)
    near.run(200, 3)
    expect(near.load.workers.latencyMinMs).toBe(10)
    const [turn] = near.turns.splice(0, 1)
    near.load.end('success', turn!, 2, 1_000)
    near.run(200, 3)
    const shortest = near.load.workers.latencyMinMs
    expect(shortest).toBeGreaterThanOrEqual(2)
    expect(shortest).toBeLessThan(2.1)
    near.run(20_000, 3)
    expect(near.load.workers.latencyMinMs).toBeGreaterThan(4)
  })
})
