import { checkFunction } from './checks.ts'
import { messageOf } from './errors.ts'

/**
 * Receives what happens inside a component, synchronously and in order. It should not throw, and cannot break the
 * component if it does.
 */
export type Observer<Event extends { readonly type: string }> = (event: Event) => void

/**
 * Guards an observer: what it throws, or rejects with, is reported once as a process warning, `HEADRACE_OBSERVER`, and
 * never reaches the component.
 * @returns the guarded observer, or `undefined` where there is none, so that `emit?.({ … })` costs nothing then.
 * @throws TypeError when `observe` is something else than a function.
 */
export function guardObserver<Event extends { readonly type: string }>(
  observe: Observer<Event> | undefined,
): Observer<Event> | undefined {
  if (!observe) return undefined
  checkFunction('observe', observe)
  let reported = false
  const report = (event: Event, error: unknown) => {
    if (reported) return
    reported = true
    process.emitWarning(`an observer failed on "${event.type}": ${messageOf(error)}`, { code: 'HEADRACE_OBSERVER' })
  }
  return (event) => {
    try {
      // An async function is an observer for TypeScript, and its rejection would end the process.
      const result: unknown = observe(event)
      if (result instanceof Promise) result.catch((error: unknown) => report(event, error))
    } catch (error) {
      report(event, error)
    }
  }
}
