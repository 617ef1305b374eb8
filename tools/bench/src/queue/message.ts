export interface Body {
  readonly text: string
  /** When it was due, where that is measured. */
  readonly dueMs?: number
}

/** 256 bytes of JSON. */
export const body: Body = { text: 'x'.repeat(245) }

/** A thousand keys in turn. */
export const keyOf = (index: number): string => `k${index % 1_000}`

let made = 0
/** Every measurement has a queue of its own. */
export const freshName = (): string => `bench-${process.pid}-${made++}`
