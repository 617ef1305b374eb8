import { inspect } from 'node:util'
import { abortedError, type ErrorCode, HeadraceError, isHeadraceError, throwIfAborted } from '@headrace/core'
import { describe, expect, it } from 'vitest'

const codes: readonly ErrorCode[] = [
  'ABORTED',
  'TIMEOUT',
  'UNAVAILABLE',
  'BUSY',
  'LOST',
  'STALE',
  'REJECTED',
  'UNSUPPORTED',
  'CLOSED',
]

describe('HeadraceError', () => {
  it('carries code, message, cause and the time after which a retry can succeed', () => {
    const cause = new Error('ECONNREFUSED')
    const error = new HeadraceError('BUSY', 'the line is full', { cause, retryAfterMs: 40 })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ code: 'BUSY', message: 'the line is full', retryAfterMs: 40 })
    expect(error.cause).toBe(cause)
    expect(error.stack).toContain('errors.test.ts')
  })

  it('has no cause unless one was given, be it undefined', () => {
    expect('cause' in new HeadraceError('CLOSED', 'closed')).toBe(false)
    expect('cause' in new HeadraceError('CLOSED', 'closed', { retryAfterMs: 1 })).toBe(false)
    expect('cause' in new HeadraceError('CLOSED', 'closed', { cause: undefined })).toBe(true)
  })

  it.each(codes)('%s is retryable exactly where nothing happened and the same call may be made again', (code) => {
    expect(new HeadraceError(code, 'message').retryable).toBe(code === 'BUSY' || code === 'UNAVAILABLE')
  })

  it.each(codes)('%s is named AbortError exactly where the platform would name it so', (code) => {
    expect(new HeadraceError(code, 'message').name).toBe(code === 'ABORTED' ? 'AbortError' : 'HeadraceError')
  })

  it('carries the brand that other copies look for, out of sight of what prints it', () => {
    const error = new HeadraceError('LOST', 'gone')
    expect(Reflect.get(error, Symbol.for('@headrace/core/error'))).toBe(true)
    expect(inspect(error)).not.toContain('@headrace')
  })
})

describe('isHeadraceError', () => {
  it('knows an error, and its code where one is asked for', () => {
    const error = new HeadraceError('LOST', 'gone')
    expect(isHeadraceError(error)).toBe(true)
    expect(isHeadraceError(error, 'LOST')).toBe(true)
    expect(isHeadraceError(error, 'STALE')).toBe(false)
  })

  it.each([null, undefined, 'BUSY', 7, {}, { code: 'BUSY' }, new Error('BUSY'), Object.create(null)])(
    'takes %s for a stranger',
    (value) => {
      expect(isHeadraceError(value)).toBe(false)
      expect(isHeadraceError(value, 'BUSY')).toBe(false)
    },
  )

  it('knows the errors of another copy of the package', async () => {
    // @ts-expect-error: the query makes the loader evaluate the module a second time.
    const copy = (await import('../src/errors.ts?copy')) as typeof import('../src/errors.ts')
    const foreign = new copy.HeadraceError('STALE', 'an older token')
    expect(foreign).not.toBeInstanceOf(HeadraceError)
    expect(isHeadraceError(foreign, 'STALE')).toBe(true)
    expect(copy.isHeadraceError(new HeadraceError('STALE', 'an older token'), 'STALE')).toBe(true)
  })

  it('does not know an error that was cloned into another thread, which keeps its message only', () => {
    const clone: unknown = structuredClone(new HeadraceError('BUSY', 'full'))
    expect(clone).toMatchObject({ message: 'full' })
    expect(isHeadraceError(clone)).toBe(false)
  })
})

describe('abortedError and throwIfAborted', () => {
  it('keep the reason of the signal as the cause', () => {
    const reason = new Error('the user left')
    const error = abortedError(AbortSignal.abort(reason), 'the write')
    expect(error).toMatchObject({ code: 'ABORTED', name: 'AbortError', message: 'the write was aborted' })
    expect(error.cause).toBe(reason)
    expect(abortedError(AbortSignal.abort()).message).toBe('the operation was aborted')
  })

  it('throw only where the signal has fired', () => {
    expect(() => throwIfAborted(undefined)).not.toThrow()
    expect(() => throwIfAborted(new AbortController().signal)).not.toThrow()
    expect(() => throwIfAborted(AbortSignal.abort(), 'the write')).toThrow('the write was aborted')
  })
})
