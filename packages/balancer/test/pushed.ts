import type { Discovery, Snapshot } from '@headrace/balancer'

/** A discovery that says what a test tells it to. */
export function pushedDiscovery<Metadata = unknown>(
  initial?: Snapshot<Metadata>,
): Discovery<Metadata> & {
  push(snapshot: Snapshot<Metadata>): void
  fail(error: Error): void
  end(): void
  /** How often it was asked to watch. */
  readonly watches: number
} {
  type Step = { snapshot: Snapshot<Metadata> } | { error: Error } | 'end'
  const steps: Step[] = []
  let watches = 0
  let wake = () => {}
  const add = (step: Step) => {
    steps.push(step)
    wake()
  }
  return {
    initial,
    push: (snapshot) => add({ snapshot }),
    fail: (error) => add({ error }),
    end: () => add('end'),
    get watches() {
      return watches
    },
    async *watch(signal) {
      watches++
      while (!signal.aborted) {
        const step = steps.shift()
        if (step === 'end') return
        if (step && 'error' in step) throw step.error
        if (step) yield step.snapshot
        else
          await new Promise<void>((resolve) => {
            wake = resolve
            signal.addEventListener('abort', () => resolve(), { once: true })
          })
      }
    },
  }
}

/** A fresh snapshot with an endpoint for each name. */
export function fresh(...names: string[]): Snapshot {
  return { state: 'fresh', endpoints: names.map((name) => ({ address: name })) }
}
