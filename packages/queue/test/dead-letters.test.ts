import { type Message, reject } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { outcome, setUp } from './set-up.ts'

describe('dead letters', () => {
  async function withDead(...names: string[]) {
    const made = setUp({ partitions: 1 })
    const consumer = made.queue.consume(({ body }: Message<string>) => {
      throw reject(`no ${body}`)
    })
    await made.queue.publishAll(names.map((body) => ({ body, id: body, key: 'k' })))
    await made.clock.settle()
    await consumer.close()
    await made.clock.advance(1)
    const seen: string[] = []
    const consume = async () => {
      made.queue.consume((message) => seen.push(message.body))
      await made.clock.settle()
      return seen
    }
    return { ...made, consume }
  }
  const ids = (letters: readonly { readonly id: string }[]) => letters.map(({ id }) => id)

  it('are listed oldest first, filtered and limited', async () => {
    const { queue } = await withDead('a', 'b', 'c', 'd')
    expect(ids(await queue.deadLetters.list())).toEqual(['a', 'b', 'c', 'd'])
    expect(ids(await queue.deadLetters.list({ limit: 2 }))).toEqual(['a', 'b'])
    const filter = ({ error }: { error: string }) => error.includes('no c')
    expect(ids(await queue.deadLetters.list({ filter }))).toEqual(['c'])
    expect((await queue.stats()).dead).toBe(4)
  })

  it('are redriven in order, those of the filter', async () => {
    const { queue, consume } = await withDead('a', 'b', 'c')
    expect(await queue.deadLetters.redrive({ dryRun: true })).toEqual({ redriven: 3 })
    expect(await queue.deadLetters.redrive({ filter: ({ id }) => id !== 'b' })).toEqual({ redriven: 2 })
    expect(await consume()).toEqual(['a', 'c'])
    expect(ids(await queue.deadLetters.list())).toEqual(['b'])
  })

  it('are redriven at the rate asked for', async () => {
    const { queue, clock } = await withDead('a', 'b', 'c')
    const redriving = queue.deadLetters.redrive({ ratePerSec: 0.05 })
    await clock.advance(39_999)
    expect((await queue.stats()).dead).toBe(1)
    await clock.advance(1)
    expect(await redriving).toEqual({ redriven: 3 })
  })

  it('are redriven once although they die again at once', async () => {
    const { queue, clock } = await withDead('a', 'b')
    queue.consume(() => {
      throw reject('again')
    })
    const redriving = queue.deadLetters.redrive({ ratePerSec: 1 })
    await clock.advance(60_000)
    expect(await redriving).toEqual({ redriven: 2 })
  })

  it('are purged for good', async () => {
    const { queue, consume } = await withDead('a', 'b', 'c')
    expect(await queue.deadLetters.purge({ limit: 2 })).toEqual({ purged: 2 })
    await queue.deadLetters.redrive()
    expect(await consume()).toEqual(['c'])
  })

  it('are left alone after an abort or a filter that throws', async () => {
    const { queue, clock } = await withDead('a', 'b', 'c')
    const stop = new AbortController()
    const redriving = outcome(queue.deadLetters.redrive({ ratePerSec: 1, signal: stop.signal }))
    await clock.advance(500)
    stop.abort('enough')
    expect(await redriving).toMatchObject({ code: 'ABORTED', cause: 'enough' })
    const filter = () => {
      throw new Error('filter')
    }
    expect(await outcome(queue.deadLetters.purge({ filter }))).toEqual(new Error('filter'))
    await clock.settle()
    expect((await queue.stats()).dead).toBe(2)
    expect(clock.pending).toBe(0)
  })

  it('say so when the backend hangs or fails', async () => {
    const driver = memoryQueue()
    const hang = setUp(
      { callMs: 1_000 },
      { wrap: () => ({ ...driver, visitDead: () => new Promise<never>(() => {}) }) },
    )
    const listing = outcome(hang.queue.deadLetters.list())
    await hang.clock.advance(1_000)
    expect(await listing).toMatchObject({ code: 'TIMEOUT' })
    const fail = setUp({}, { wrap: () => ({ ...driver, visitDead: () => Promise.reject(new Error('gone')) }) })
    expect(await outcome(fail.queue.deadLetters.list())).toMatchObject({
      code: 'UNAVAILABLE',
      cause: new Error('gone'),
    })
    expect(await outcome(fail.queue.deadLetters.list({ limit: 0 }))).toBeInstanceOf(RangeError)
  })
})
