/** Receives what happens inside a component, synchronously and in order. It must not throw, and cannot break the component if it does. */
export type Observer<Event extends { readonly type: string }> = (event: Event) => void

/**
 * Guards an observer: what it throws is reported once as a process warning and never reaches the component.
 * @returns the guarded observer, or `undefined` where there is none, so that `emit?.({ … })` costs nothing then.
 */
export function guardObserver<Event extends { readonly type: string }>(
  observe: Observer<Event> | undefined,
): Observer<Event> | undefined {
  if (!observe) return undefined
  let reported = false
  return (event) => {
    try {
      observe(event)
    } catch (error) {
      if (reported) return
      reported = true
      process.emitWarning(`an observer threw on "${event.type}": ${error}`, { code: 'HEADRACE_OBSERVER' })
    }
  }
}
