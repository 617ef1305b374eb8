import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { createUnpacking, type Unpacking } from '../src/rabbitmq/unpacking.ts'

const message = (id: string) => ({
  id,
  key: undefined,
  partition: 0,
  payload: '""',
  headers: {},
  publishedAtMs: 0,
})

function setUp(credit: number) {
  const ids: string[] = []
  const tags: number[] = []
  const broken: unknown[] = []
  const unpacking: Unpacking = createUnpacking(
    credit,
    (delivery) => {
      ids.push(delivery.message.id)
      tags.push(delivery.tag)
    },
    (cause) => broken.push(cause),
  )
  /** Each letter is a message. */
  const add = (deliveryTag: number, letters: string) =>
    unpacking.add(deliveryTag, 0, letters.length, () => [...letters].map(message))
  const settle = (...at: number[]) => {
    const done = unpacking.settle(at.map((index) => tags[index]!))
    unpacking.deliver()
    return done
  }
  return { unpacking, ids, tags, broken, add, settle }
}

describe('taking frames apart', () => {
  it('delivers as many as there is credit for, and goes on inside a frame', () => {
    const { ids, add, settle, unpacking } = setUp(3)
    add(1, 'abcde')
    add(2, 'fg')
    expect(ids.join('')).toBe('abc')
    expect(unpacking.waiting).toBe(4)
    settle(1)
    expect(ids.join('')).toBe('abcd')
    settle(0, 2, 3)
    expect(ids.join('')).toBe('abcdefg')
    expect(unpacking.waiting).toBe(0)
  })

  it('is done with a frame when all its parts are settled, in any order', () => {
    const { add, settle, unpacking } = setUp(10)
    add(1, 'ab')
    add(2, 'c')
    expect(settle(1)).toEqual([])
    expect(settle(2)).toEqual([2])
    expect(unpacking.lowestOpen).toBe(1)
    expect(settle(0)).toEqual([1])
    expect(unpacking.lowestOpen).toBeUndefined()
  })

  it('passes over what is settled already, not delivered yet, or unknown', () => {
    const { add, settle, tags, unpacking } = setUp(1)
    add(1, 'ab')
    const [first] = tags as [number]
    expect(unpacking.settle([first + 1, first + 100, 10_000_000])).toEqual([])
    expect(unpacking.find(first + 1)).toBeUndefined()
    expect(unpacking.settle([first, first])).toEqual([])
    unpacking.deliver()
    expect(settle(0, 1)).toEqual([1])
  })

  it('unpacks a frame when its turn comes', () => {
    const { unpacking, settle, add } = setUp(1)
    let opened = 0
    add(1, 'a')
    unpacking.add(2, 0, 1, () => {
      opened++
      return [message('b')]
    })
    expect(opened).toBe(0)
    settle(0)
    expect(opened).toBe(1)
  })

  it('finishes the frames of which something is settled or running, and delivers no other', async () => {
    const { unpacking, ids, tags, add, settle } = setUp(5)
    add(1, 'ab')
    add(2, 'cdef')
    add(3, 'gh')
    settle(0, 1, 2)
    expect(ids.join('')).toBe('abcdefgh')
    add(4, 'ijkl')
    expect(ids.join('')).toBe('abcdefgh')
    settle(3)
    expect(ids.join('')).toBe('abcdefghi')
    let over = false
    const { keeps, done } = unpacking.finish([tags[8]!])
    void done.then(() => {
      over = true
    })
    expect(tags.map(keeps)).toEqual([...'abcdefghi'].map((id) => 'cdefi'.includes(id)))
    add(5, 'm')
    settle(4, 5)
    settle(8)
    settle(9)
    expect(ids.join('')).toBe('abcdefghijkl')
    await Promise.resolve()
    expect(over).toBe(false)
    settle(10, 11)
    await Promise.resolve()
    expect(over).toBe(true)
  })

  it('has nothing to finish where all messages are alone, and no longer when it is stopped', async () => {
    const alone = setUp(5)
    alone.add(1, 'a')
    await alone.unpacking.finish(alone.tags).done
    const stopped = setUp(5)
    stopped.add(1, 'ab')
    const { done } = stopped.unpacking.finish(stopped.tags)
    stopped.unpacking.stop()
    await done
  })

  it('stops at a frame that it cannot read', () => {
    const { unpacking, ids, broken, add } = setUp(10)
    unpacking.add(1, 0, 1, () => {
      throw new Error('version 2')
    })
    add(2, 'a')
    expect(broken).toEqual([new Error('version 2')])
    expect(ids).toEqual([])
  })

  const steps = fc.array(
    fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ settle: fc.array(fc.nat(20), { maxLength: 6 }) }),
    ),
    { maxLength: 60 },
  )
  test.prop([fc.integer({ min: 1, max: 8 }), steps])(
    'delivers each message once, in order and within the credit, and is done with a frame exactly when all of it is settled',
    (credit, steps) => {
      const { unpacking, ids, tags } = setUp(credit)
      const frames: string[][] = []
      const settled = new Set<string>()
      const done = new Set<number>()
      for (const step of steps) {
        if ('add' in step) {
          const parts = Array.from({ length: step.add }, (_, at) => `${frames.length}/${at}`)
          unpacking.add(frames.length + 1, 0, parts.length, () => parts.map(message))
          frames.push(parts)
        } else {
          const chosen = step.settle.filter((at) => at < tags.length)
          for (const tag of unpacking.settle(chosen.map((at) => tags[at]!))) done.add(tag)
          for (const at of chosen) settled.add(ids[at]!)
          unpacking.deliver()
        }
        const all = frames.flat()
        expect(ids).toEqual(all.slice(0, Math.min(all.length, settled.size + credit)))
        const complete = frames.flatMap((parts, at) => (parts.every((id) => settled.has(id)) ? [at + 1] : []))
        expect([...done].sort((a, b) => a - b)).toEqual(complete)
        expect(unpacking.lowestOpen).toBe(frames.map((_, at) => at + 1).find((tag) => !complete.includes(tag)))
      }
    },
  )
})
