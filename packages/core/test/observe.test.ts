import { guardObserver, type Observer } from '@headrace/core'
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'

type Event = { readonly type: 'opened' | 'closed' }

let warn: MockInstance<typeof process.emitWarning>
beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
})
afterEach(() => {
  warn.mockRestore()
})

describe('guardObserver', () => {
  it('hands on every event, synchronously and in order', () => {
    const seen: Event[] = []
    const emit = guardObserver<Event>((event) => seen.push(event))!
    const events: Event[] = [{ type: 'opened' }, { type: 'closed' }]
    for (const event of events) emit(event)
    expect(seen).toEqual(events)
    expect(seen[0]).toBe(events[0])
    expect(warn).not.toHaveBeenCalled()
  })

  it('is undefined without an observer, so that no event is made', () => {
    expect(guardObserver(undefined)).toBeUndefined()
  })

  it.each([
    [
      'an error',
      () => {
        throw new Error('full disk')
      },
      'full disk',
    ],
    [
      'a symbol',
      () => {
        throw Symbol('odd')
      },
      'symbol',
    ],
    [
      'an object without a prototype',
      () => {
        throw Object.create(null)
      },
      'object',
    ],
    ['a rejection', () => Promise.reject(new Error('full disk')), 'full disk'],
  ])('reports %s once and keeps it away from the component', async (_, observe, said) => {
    const emit = guardObserver<Event>(observe as Observer<Event>)!
    expect(() => emit({ type: 'opened' })).not.toThrow()
    await null
    await null
    expect(() => emit({ type: 'closed' })).not.toThrow()
    await null
    await null
    expect(warn).toHaveBeenCalledExactlyOnceWith(`an observer failed on "opened": ${said}`, {
      code: 'HEADRACE_OBSERVER',
    })
  })

  it('goes on observing after a failure', () => {
    let calls = 0
    const emit = guardObserver<Event>(() => {
      if (calls++ === 0) throw new Error('once')
    })!
    emit({ type: 'opened' })
    emit({ type: 'closed' })
    expect(calls).toBe(2)
  })

  it('refuses an observer that is not a function', () => {
    expect(() => guardObserver('console' as unknown as Observer<Event>)).toThrow(
      'observe must be a function, received string',
    )
  })
})
