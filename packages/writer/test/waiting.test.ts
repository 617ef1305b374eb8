import { getEventListeners } from 'node:events'
import type { HeadraceError } from '@headrace/core'
import { describe, expect, it } from 'vitest'
import { ending, gate, never, setup } from './subject.ts'

const one = { quantity: 1 }
describe('a deadline', () => {
  it('that passes in line is BUSY, and the write never happens', async () => {
    const open = gate()
    const { clock, writer } = setup({
      batchMax: 1,
      change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
    })
    const first = ending(clock, writer.write('a', one))
    await clock.settle()
    const second = writer.write('a', one, { id: 'x', deadlineMs: 5 })
    const error = second.catch((thrown: HeadraceError) => thrown)
    await clock.advance(5)
    // The batch ahead has taken 5 ms so far, so that it is expected to take as long again.
    expect(await error).toMatchObject({ code: 'BUSY', retryAfterMs: 5 })
    open.resolve()
    await first
    await clock.settle()
    expect(await writer.read('a')).toEqual({ left: 9 })
    expect(writer.stats().waiting).toBe(0)
  })

  it.each([
    ['opened', () => ({ open: never })],
    ['sealed', () => ({ seal: never })],
    ['read', () => ({ load: never })],
  ] as const)('that passes while the store hangs before it is %s is UNAVAILABLE', async (_, change) => {
    const { open, ...ledger } = change() as { open?: () => Promise<never> }
    const { clock, writer } = setup({ ...(open ? { store: { open } } : { change: () => ledger }) })
    const end = ending(clock, writer.write('a', one, { deadlineMs: 40 }))
    await clock.advance(40)
    expect(await end).toEqual({ code: 'UNAVAILABLE', atMs: 40 })
  })

  it('that passes while the commit is out is TIMEOUT, and the same id tells what came of it', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
    })
    const end = ending(clock, writer.write('a', one, { id: 'x', deadlineMs: 40 }))
    await clock.advance(40)
    expect(await end).toEqual({ code: 'TIMEOUT', atMs: 40 })
    open.resolve()
    expect(await writer.write('a', one, { id: 'x' })).toMatchObject({ sequence: 1, replayed: true })
  })
})

describe('an abort', () => {
  it('before the call ends it before anything is done', async () => {
    const { writer, events } = setup({})
    const reason = new Error('no longer wanted')
    await expect(writer.write('a', one, { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
      code: 'ABORTED',
      cause: reason,
    })
    expect(events).toEqual([])
  })

  it('in line takes the write out, in the same turn', async () => {
    const { clock, writer } = setup({})
    const controller = new AbortController()
    const end = ending(clock, writer.write('a', one, { signal: controller.signal }))
    controller.abort()
    expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0 })
    expect(await end).toEqual({ code: 'ABORTED', atMs: 0 })
    await clock.settle()
    expect(await writer.read('a')).toEqual({ left: 10 })
  })

  it('is no longer listened for once there is an answer', async () => {
    const { writer } = setup({})
    const { signal } = new AbortController()
    await writer.write('a', one, { signal })
    await expect(writer.write('a', one, { id: 'x', signal })).resolves.toBeDefined()
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('while the state is read takes the write out of the batch', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ load: (keys, ids) => open.promise.then(() => good.load(keys, ids)) }),
    })
    const controller = new AbortController()
    const gone = ending(clock, writer.write('a', one, { signal: controller.signal }))
    const stays = ending(clock, writer.write('a', one))
    await clock.settle()
    controller.abort()
    expect(await gone).toMatchObject({ code: 'ABORTED' })
    open.resolve()
    expect(await stays).toMatchObject({ sequence: 1 })
  })

  it('after the commit was sent leaves it to take effect', async () => {
    const open = gate()
    const { clock, writer } = setup({
      change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
    })
    const controller = new AbortController()
    const end = ending(clock, writer.write('a', one, { id: 'x', signal: controller.signal }))
    await clock.settle()
    controller.abort()
    expect(await end).toMatchObject({ code: 'ABORTED' })
    expect(writer.stats().waiting).toBe(1)
    open.resolve()
    await clock.settle()
    expect(writer.stats().waiting).toBe(0)
    expect(await writer.write('a', one, { id: 'x' })).toMatchObject({ sequence: 1, replayed: true })
  })
})

describe('admission', () => {
  it('refuses at once over waitingMax, with a time to come back', async () => {
    const { clock, writer, events } = setup({ waitingMax: 2, change: () => ({ commit: never }) })
    const ends = [1, 2].map(() => ending(clock, writer.write('a', one, { deadlineMs: 1 })))
    await expect(writer.write('b', one)).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 1 })
    expect(events.at(-1)).toEqual({ type: 'refused', reason: 'waiting', retryAfterMs: 1 })
    expect(writer.stats().refused).toBe(1)
    await clock.advance(1)
    await Promise.all(ends)
  })

  it('refuses over waitingLengthMax', async () => {
    const { clock, writer, events } = setup({ waitingLengthMax: 30, change: () => ({ commit: never }) })
    const ends = [ending(clock, writer.write('a', one, { deadlineMs: 1 }))]
    expect(writer.stats().waitingLength).toBe('{"quantity":1}'.length)
    ends.push(ending(clock, writer.write('a', one, { deadlineMs: 1 })))
    await expect(writer.write('a', one)).rejects.toMatchObject({ code: 'BUSY' })
    expect(events.at(-1)).toMatchObject({ type: 'refused', reason: 'length' })
    await clock.advance(1)
    await Promise.all(ends)
  })

  it('refuses what would be answered after its deadline, and says when to come back', async () => {
    const { clock, writer, events } = setup({
      change: (good, time) => ({ commit: (batch) => time.sleep(100).then(() => good.commit(batch)) }),
    })
    const first = writer.write('a', one)
    await clock.advance(100)
    await first
    expect(writer.stats().lanes).toMatchObject([{ fixedMs: 100, perWriteMs: 0 }])
    const second = writer.write('a', one)
    await clock.settle()
    // What is in the store and its own batch take 100 ms each.
    await expect(writer.write('a', one, { deadlineMs: 150 })).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 50 })
    expect(events.at(-1)).toEqual({ type: 'refused', reason: 'deadline', retryAfterMs: 50 })
    const third = writer.write('a', one, { deadlineMs: 250 })
    await clock.advance(200)
    await Promise.all([second, third])
  })

  it('lets a write to an idle lane in, however slow the last ones were', async () => {
    let commitMs = 4_000
    const { clock, writer } = setup({
      deadlineMs: 1_000,
      change: (good, time) => ({ commit: (batch) => time.sleep(commitMs).then(() => good.commit(batch)) }),
    })
    const slow = ending(clock, writer.write('a', one))
    await clock.advance(4_000)
    expect(await slow).toMatchObject({ code: 'TIMEOUT' })
    commitMs = 1
    const quick = ending(clock, writer.write('a', one))
    await clock.advance(1)
    expect(await quick).toMatchObject({ sequence: 2 })
  })

  it('refuses a command over commandLengthMax as REJECTED', async () => {
    const { writer } = setup({ commandLengthMax: 14 })
    await writer.write('a', one)
    await expect(writer.write('a', { quantity: 10 })).rejects.toThrow('15 characters long, over the 14 allowed')
  })
})
