import { type ErrorCode, HeadraceError, isHeadraceError, type Observer } from '@headrace/core'
import { toDiagnostics } from '@headrace/core/diagnostics'
import { expectTypeOf, test } from 'vitest'

test('isHeadraceError narrows what was caught', () => {
  const caught: unknown = new HeadraceError('BUSY', 'full')
  if (isHeadraceError(caught)) {
    expectTypeOf(caught.code).toEqualTypeOf<ErrorCode>()
    expectTypeOf(caught.retryAfterMs).toEqualTypeOf<number | undefined>()
  } else expectTypeOf(caught).toEqualTypeOf<unknown>()
})

test('isHeadraceError with a code narrows the code, and says nothing of an error with another one', () => {
  const error = new HeadraceError('BUSY', 'full')
  if (isHeadraceError(error, 'BUSY')) expectTypeOf(error.code).toEqualTypeOf<'BUSY'>()
  else expectTypeOf(error).toEqualTypeOf<HeadraceError>()
})

test('isHeadraceError takes no code that does not exist', () => {
  // @ts-expect-error: the set of codes is closed.
  isHeadraceError(null, 'EBUSY')
})

type Event = { readonly type: 'opened'; readonly key: string } | { readonly type: 'closed' }

test('an observer of more events is an observer of fewer, and not the other way round', () => {
  expectTypeOf<Observer<Event>>().toExtend<Observer<{ readonly type: 'closed' }>>()
  expectTypeOf<Observer<{ readonly type: 'closed' }>>().not.toExtend<Observer<Event>>()
})

test('an event has a type', () => {
  // @ts-expect-error: without a type nobody could tell events apart.
  expectTypeOf<Observer<{ readonly key: string }>>().toBeFunction()
})

test('toDiagnostics observes any component', () => {
  expectTypeOf(toDiagnostics<Event>('door')).toEqualTypeOf<Observer<Event>>()
})
