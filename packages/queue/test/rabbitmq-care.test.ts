import { manualClock } from '@headrace/core/testing'
import type { Delivery } from '@headrace/queue'
import { describe, expect, it } from 'vitest'
import type { Place } from '../src/rabbitmq/progress.ts'
import { createUnpacking } from '../src/rabbitmq/unpacking.ts'

const message = (id: string) => ({ id, key: undefined, partition: 0, payload: '""', headers: {}, publishedAtMs: 0 })
const clock = manualClock()

/** A process that takes frames from the redelivery `from` on with care; what it has noted outlives it. */
function processOf(noted: { place?: Place }, options: { from?: number; fails?: boolean } = {}) {
  const { from = 2, fails = false } = options
  const handled: string[] = []
  const deliveries: Delivery[] = []
  const broken: unknown[] = []
  const progress = {
    read: async () => noted.place,
    async note(place: Place) {
      if (fails) throw new Error('the broker is away')
      noted.place = place
    },
  }
  const unpacking = createUnpacking(
    10,
    (delivery) => {
      handled.push(`${delivery.message.id}${delivery.redeliveries}`)
      deliveries.push(delivery)
    },
    (cause) => broken.push(cause),
    { from, base: from, progress },
  )
  return {
    handled,
    broken,
    unpacking,
    receive(tag: number, redeliveries: number, ids: string) {
      unpacking.add(tag, redeliveries, ids.length, () => [...ids].map(message))
      return clock.settle()
    },
    /** Settles what has come until a poisonous message, which ends the process. */
    async work(poison: string) {
      for (let at = 0; at < deliveries.length; at++) {
        if (deliveries[at]!.message.id === poison) return
        unpacking.settle([deliveries[at]!.tag])
        unpacking.deliver()
        await clock.settle()
      }
    },
  }
}

describe('a frame that comes again and again', () => {
  it('is handled message by message, and the one that ends the process is found', async () => {
    const noted: { place?: Place } = {}
    const histories: string[] = []
    for (let redeliveries = 2; redeliveries < 5; redeliveries++) {
      const { receive, work, handled } = processOf(noted)
      await receive(1, redeliveries, 'abpcd')
      await work('p')
      histories.push(handled.join(' '))
    }
    expect(histories).toEqual(['a2 b2 p2', 'p3', 'p4'])
    // Once it is given up, the others follow, and none of them is to blame.
    const last = processOf(noted)
    await last.receive(1, 5, 'abpcd')
    await last.work('')
    expect(last.handled.join(' ')).toBe('p5 c2 d2')
    expect(last.unpacking.lowestOpen).toBeUndefined()
  })

  it('waits for what was delivered before it, and what is behind it waits for it', async () => {
    const { receive, work, handled } = processOf({})
    await receive(1, 0, 'xy')
    await receive(2, 2, 'ab')
    await receive(3, 0, 'z')
    expect(handled).toEqual(['x0', 'y0'])
    await work('b')
    expect(handled).toEqual(['x0', 'y0', 'a2', 'b2', 'z0'])
  })

  it('begins from the start where another frame was noted', async () => {
    const noted = { place: { frame: 'another', place: 1, times: 7 } }
    const { receive, handled } = processOf(noted)
    await receive(1, 2, 'ab')
    expect(handled).toEqual(['a2'])
    expect(noted.place).toMatchObject({ place: 0, times: 1 })
  })

  it('is not taken for another that begins alike', async () => {
    const noted: { place?: Place } = {}
    const first = processOf(noted)
    await first.receive(1, 2, 'abc')
    await first.work('c')
    const second = processOf(noted)
    await second.receive(1, 2, 'axy')
    await second.work('y')
    expect(second.handled).toEqual(['a2', 'x2', 'y2'])
  })

  it('is not delivered when its place cannot be noted', async () => {
    const { receive, handled, broken } = processOf({}, { fails: true })
    await receive(1, 2, 'ab')
    expect(handled).toEqual([])
    expect(broken).toEqual([new Error('the broker is away')])
  })

  it('is handled as always before that, and so is a message without company', async () => {
    const { receive, handled } = processOf({})
    await receive(1, 1, 'ab')
    await receive(2, 9, 'c')
    expect(handled).toEqual(['a1', 'b1', 'c9'])
  })
})
