import { reject } from '@headrace/queue'
import { describe, expect, it } from 'vitest'
import { bodies, keyed, setUp } from './set-up.ts'

describe('consumeBatch', () => {
  it('hands over what waits, in order per key, up to sizeMax', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const batches: string[][] = []
    await queue.publishAll(keyed('a1', 'b1', 'a2', 'a3', 'b2'))
    queue.consumeBatch((messages) => void batches.push(bodies(messages)), { sizeMax: 3 })
    await clock.settle()
    expect(batches).toEqual([
      ['a1', 'a2', 'a3'],
      ['b1', 'b2'],
    ])
    expect((await queue.stats()).depth).toBe(0)
  })

  it('waits lingerMs for company, and no longer when the batch is full', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const batches: string[][] = []
    queue.consumeBatch((messages) => void batches.push(bodies(messages)), { sizeMax: 3, lingerMs: 50 })
    await queue.publish('a')
    await clock.advance(49)
    await queue.publish('b')
    expect(batches).toEqual([])
    await clock.advance(1)
    expect(batches).toEqual([['a', 'b']])
    await queue.publishAll(keyed('c', 'd', 'e'))
    await clock.settle()
    expect(batches[1]).toHaveLength(3)
    await queue.publish('f')
    await clock.advance(49)
    expect(batches).toHaveLength(2)
    await clock.advance(1)
    expect(batches[2]).toEqual(['f'])
  })

  it('settles each message by its result, and tries again what failed with all that follows it in its key', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const done: string[] = []
    let first = true
    await queue.publishAll(keyed('a1', 'a2', 'b1', 'c1', 'c2'))
    queue.consumeBatch((messages) => {
      const failing = first ? ['a1'] : []
      first = false
      return Promise.allSettled(
        messages.map(async ({ body }) => {
          if (failing.includes(body)) throw new Error('not now')
          if (body === 'c1') throw reject('never')
          done.push(body)
        }),
      )
    })
    await clock.advance(10_000)
    expect(done).toEqual(['a2', 'b1', 'c2', 'a1', 'a2'])
    expect(await queue.deadLetters.list()).toMatchObject([{ body: 'c1', reason: 'rejected' }])
    expect((await queue.stats()).depth).toBe(0)
  })

  it('tries a batch that throws one by one, so that a poison message does not take others with it', async () => {
    const { queue, clock } = setUp({ partitions: 1, retry: { attempts: 3 } })
    const done: string[] = []
    await queue.publishAll(keyed('a1', 'a2', 'b1', 'c1'))
    const batches: string[][] = []
    queue.consumeBatch((messages) => {
      batches.push(bodies(messages))
      if (messages.some(({ body }) => body === 'b1')) throw new Error('poison')
      done.push(...bodies(messages))
    })
    await clock.settle()
    for (let body = 0; body < 40; body++) {
      await queue.publish(`d${body}`, { key: `d${body}` })
      await clock.advance(10)
    }
    await clock.advance(60_000)
    expect(done.filter((body) => !body.startsWith('d')).sort()).toEqual(['a1', 'a2', 'c1'])
    const [first, ...rest] = batches
    expect(first).toHaveLength(4)
    for (const batch of rest) if (batch.includes('b1')) expect(batch).toEqual(['b1'])
    expect(await queue.deadLetters.list()).toMatchObject([{ body: 'b1', reason: 'exhausted', attempts: 3 }])
  })

  it('goes to the dead letters as a whole when it throws a rejection', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    await queue.publishAll(keyed('a', 'b'))
    queue.consumeBatch(() => {
      throw reject('all of it')
    })
    await clock.settle()
    expect((await queue.deadLetters.list()).map(({ body }) => body)).toEqual(['a', 'b'])
  })

  it('does not try a message again that was invalid, when the rest of the batch fails', async () => {
    const { queue, driver, clock, of } = setUp({ partitions: 1 })
    await queue.open()
    const raw = { key: 'k', partition: 0, headers: {}, publishedAtMs: 0, delayMs: 0 }
    await driver.publish('orders', [
      { ...raw, id: 'broken', payload: '{' },
      { ...raw, id: 'fine', payload: '"fine"' },
    ])
    let failures = 1
    const done: string[] = []
    queue.consumeBatch((messages) => {
      if (failures-- > 0) throw new Error('once')
      done.push(...bodies(messages))
    })
    await clock.advance(10_000)
    expect(done).toEqual(['fine'])
    expect(of('retry').map(({ id }) => id)).toEqual(['fine'])
    expect(await queue.deadLetters.list()).toMatchObject([{ id: 'broken', reason: 'invalid' }])
  })

  it('takes a wrong number of results for a failure', async () => {
    const { queue, clock, of } = setUp({ retry: { attempts: 2 } })
    queue.consumeBatch(() => [])
    await queue.publish('x')
    await clock.advance(60_000)
    expect(String(of('retry')[0]!.error)).toContain('must return nothing or 1 results')
    expect((await queue.deadLetters.list())[0]!.reason).toBe('exhausted')
  })

  it('names the option that is wrong', () => {
    expect(() => setUp().queue.consumeBatch(() => {}, { sizeMax: 0 })).toThrow('sizeMax')
    expect(() => setUp().queue.consumeBatch(() => {}, { lingerMs: -1 })).toThrow('lingerMs')
  })
})
