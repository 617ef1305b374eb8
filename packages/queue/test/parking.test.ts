import { reject } from '@headrace/queue'
import { describe, expect, it } from 'vitest'
import { keyed, setUp } from './set-up.ts'

const impatient = { attempts: 2, delayMinMs: 10, delayMaxMs: 10 }

/** A queue that parks, with a consumer that fails for the bodies in `failing`. */
async function parking(options: Parameters<typeof setUp>[0] = {}) {
  const made = setUp({ partitions: 1, onExhausted: 'park', retry: impatient, ...options })
  const failing = new Set<string>()
  const seen: string[] = []
  const consume = (prefetch = 256) =>
    made.queue.consume(
      ({ body }) => {
        if (failing.has(body)) throw new Error(`no ${body}`)
        seen.push(body)
      },
      { prefetch },
    )
  return { ...made, failing, seen, consume }
}

describe('a key whose message fails at every attempt', () => {
  it('is parked: all of it waits, and others flow', async () => {
    const { queue, clock, failing, seen, consume, of } = await parking()
    failing.add('a1')
    consume()
    await queue.publishAll(keyed('a1', 'a2', 'b1'))
    await clock.advance(1_000)
    await queue.publishAll(keyed('a3', 'b2'))
    await clock.settle()
    expect(seen).toEqual(['b1', 'b2'])
    const id = of('parked')[0]?.id
    expect(await queue.parked()).toEqual([
      {
        key: 'a',
        partition: 0,
        waiting: 3,
        id,
        because: { reason: 'exhausted', error: 'Error: no a1', attempts: 2, deadAtMs: expect.any(Number) },
      },
    ])
    expect(of('parked')).toMatchObject([{ key: 'a', attempts: 2, error: 'Error: no a1' }])
    expect(await queue.stats()).toMatchObject({ depth: 0, held: 0, dead: 0 })
  })

  it('goes on with the failed message after unpark, in order, with what came meanwhile', async () => {
    const { queue, clock, failing, seen, consume, of } = await parking()
    failing.add('a1')
    consume()
    await queue.publishAll(keyed('a1', 'a2'))
    await clock.advance(1_000)
    await queue.publishAll(keyed('a3'))
    failing.clear()
    expect(await queue.unpark('a')).toBe(true)
    await queue.publishAll(keyed('a4'))
    await clock.advance(1)
    expect(seen).toEqual(['a1', 'a2', 'a3', 'a4'])
    expect(of('unparked')).toMatchObject([{ key: 'a' }])
    expect(await queue.parked()).toEqual([])
    expect(await queue.unpark('a')).toBe(false)
    await queue.publishAll(keyed('a5'))
    await clock.settle()
    expect(seen.at(-1)).toBe('a5')
  })

  it('loses only the failed message to the dead letters after skip', async () => {
    const { queue, clock, failing, seen, consume, of } = await parking()
    failing.add('a1')
    consume()
    await queue.publishAll(keyed('a1', 'a2'))
    await clock.advance(1_000)
    expect(await queue.skip('a')).toBe(true)
    await clock.settle()
    expect(seen).toEqual(['a2'])
    expect(await queue.deadLetters.list()).toMatchObject([{ body: 'a1', reason: 'exhausted', error: 'Error: no a1' }])
    expect(of('unparked')).toHaveLength(1)
  })

  it('is parked anew where a message behind fails, which then is the one that is named', async () => {
    const { queue, clock, failing, seen, consume, of } = await parking()
    failing.add('a1').add('a3')
    consume()
    await queue.publishAll(keyed('a1', 'a2', 'a3', 'a4'))
    await clock.advance(1_000)
    failing.delete('a1')
    await queue.unpark('a')
    await clock.advance(1_000)
    expect(seen).toEqual(['a1', 'a2'])
    expect(await queue.parked()).toMatchObject([{ key: 'a', waiting: 2, because: { error: 'Error: no a3' } }])
    expect(of('parked')).toHaveLength(2)
    failing.clear()
    await queue.unpark('a')
    await clock.advance(1_000)
    expect(seen).toEqual(['a1', 'a2', 'a3', 'a4'])
  })

  it('is tried again window by window, so that its backlog has no share of the memory', async () => {
    const { queue, clock, failing, seen, consume } = await parking({ windowMax: 20_000 })
    failing.add('a0')
    const consumer = consume(10)
    const backlog = Array.from({ length: 95 }, (_, at) => ({ key: 'a', body: `a${at}` }))
    await queue.publishAll(backlog)
    await clock.advance(1_000)
    expect(consumer.stats()).toMatchObject({ held: 0 })
    expect(await queue.parked()).toMatchObject([{ waiting: 95 }])
    failing.clear()
    await queue.unpark('a')
    await clock.advance(1_000)
    expect(seen).toEqual(backlog.map(({ body }) => body))
    expect(await queue.parked()).toEqual([])
  })

  it('is still parked for the next consumer, which obeys what was asked before it came', async () => {
    const { queue, driver, clock, failing, seen, consume } = await parking()
    failing.add('a1')
    const first = consume()
    await queue.publishAll(keyed('a1', 'a2'))
    await clock.advance(1_000)
    await first.close()
    await queue.publishAll(keyed('a3', 'b1'))
    const second = consume()
    await clock.settle()
    expect(seen).toEqual(['b1'])
    driver.crashConsumers()
    await second.close()
    failing.clear()
    await queue.unpark('a')
    await queue.publishAll(keyed('a4'))
    consume()
    await clock.settle()
    expect(seen).toEqual(['b1', 'a1', 'a2', 'a3', 'a4'])
  })

  it('is unparked again from the start of what is left when its consumer is cut short', async () => {
    const { queue, driver, clock } = await parking()
    const seen: string[] = []
    let broken = true
    let hang = false
    queue.consume(({ body }) => {
      if (broken) throw new Error('broken')
      if (hang && body === 'a2') return new Promise(() => {})
      seen.push(body)
      return undefined
    })
    await queue.publishAll(keyed('a1', 'a2', 'a3'))
    await clock.advance(1_000)
    broken = false
    hang = true
    await queue.unpark('a')
    await clock.settle()
    expect(seen).toEqual(['a1'])
    hang = false
    driver.disconnect()
    await clock.advance(60_000)
    expect(seen).toEqual(['a1', 'a2', 'a3'])
    expect(await queue.parked()).toEqual([])
  })

  it('does not skip another message when a skip is obeyed again', async () => {
    const { queue, driver, clock, failing, seen, consume } = await parking()
    failing.add('a1')
    const first = consume()
    await queue.publishAll(keyed('a1', 'a2'))
    await clock.advance(1_000)
    await first.close()
    // Stored twice, as after a lost confirmation.
    await queue.skip('a')
    await queue.skip('a')
    consume()
    await clock.settle()
    expect(seen).toEqual(['a2'])
    expect((await queue.stats()).dead).toBe(1)
    expect(driver.name).toBe('memory')
  })

  it('goes to the dead letters as before, when that is what was asked for, and without a key', async () => {
    const { queue, clock, failing, seen, consume } = await parking({ onExhausted: 'dead-letter' })
    failing.add('a1')
    consume()
    await queue.publishAll(keyed('a1', 'a2'))
    await clock.advance(1_000)
    expect(seen).toEqual(['a2'])
    const other = await parking()
    other.failing.add('x')
    other.consume()
    await other.queue.publish('x')
    await other.clock.advance(1_000)
    expect(await other.queue.parked()).toEqual([])
    expect((await other.queue.stats()).dead).toBe(1)
  })

  it('goes to the dead letters where parkedKeysMax keys are parked', async () => {
    const { queue, clock, failing, seen, consume } = await parking({ parkedKeysMax: 1 })
    failing.add('a1').add('b1')
    consume()
    await queue.publishAll(keyed('a1', 'b1', 'a2', 'b2'))
    await clock.advance(1_000)
    expect((await queue.parked()).map(({ key }) => key)).toEqual(['a'])
    expect(seen).toEqual(['b2'])
    expect(await queue.deadLetters.list()).toMatchObject([{ body: 'b1' }])
  })

  it('can be unparked although the queue is full', async () => {
    const { queue, clock, failing, seen, consume } = await parking({ depthMax: 3 })
    failing.add('a1')
    consume()
    await queue.publishAll(keyed('a1', 'a2', 'a3'))
    await clock.advance(1_000)
    await expect(queue.publish('b1', { key: 'b' })).rejects.toMatchObject({ code: 'BUSY' })
    failing.clear()
    await queue.unpark('a')
    await clock.settle()
    expect(seen).toEqual(['a1', 'a2', 'a3'])
  })

  it('is not parked for what is rejected or invalid', async () => {
    const { queue, clock } = await parking()
    queue.consume(({ body }) => {
      if (body === 'a1') throw reject('never')
    })
    await queue.publishAll(keyed('a1', 'a2'))
    await clock.settle()
    expect(await queue.parked()).toEqual([])
    expect(await queue.stats()).toMatchObject({ depth: 0, dead: 1 })
  })

  it('is parked by a message that kills its process, too, behind those before it', async () => {
    const { queue, driver, clock } = await parking()
    const seen: string[] = []
    queue.consume(
      ({ body }) => {
        if (body === 'a1') return new Promise(() => {})
        seen.push(body)
        return undefined
      },
      { redeliveriesMax: 2 },
    )
    await queue.publishAll(keyed('a1', 'a2', 'b1'))
    for (let crash = 0; crash < 2; crash++) {
      await clock.advance(10_000)
      driver.disconnect()
    }
    await clock.advance(60_000)
    expect(await queue.parked()).toMatchObject([
      { key: 'a', waiting: 2, because: { reason: 'redelivered', error: 'delivered 2 times without an end' } },
    ])
    expect([...new Set(seen)]).toEqual(['b1'])
  })

  it('takes the rest of its batch with it', async () => {
    const { queue, clock } = await parking({ retry: { attempts: 1 } })
    const batches: string[][] = []
    await queue.publishAll(keyed('a1', 'b1', 'a2'))
    queue.consumeBatch((messages) => {
      batches.push(messages.map(({ body }) => body))
      return Promise.allSettled(
        messages.map(async ({ body }) => {
          if (body === 'a1') throw new Error('no')
        }),
      )
    })
    await clock.settle()
    expect(batches).toEqual([['a1', 'a2', 'b1']])
    expect(await queue.parked()).toMatchObject([{ key: 'a', waiting: 2 }])
    expect((await queue.stats()).depth).toBe(0)
  })

  it('names what is wrong', async () => {
    const { queue } = await parking()
    await expect(queue.unpark('')).rejects.toThrow('key')
    expect(() => setUp({ onExhausted: 'stop' as never })).toThrow('onExhausted must be dead-letter or park')
    expect(() => setUp({ parkedKeysMax: 0 })).toThrow('parkedKeysMax')
    expect(() =>
      setUp(
        { onExhausted: 'park' },
        { wrap: (driver) => ({ ...driver, supports: { ...driver.supports, park: false } }) },
      ),
    ).toThrow('memory cannot park keys')
  })
})
