import { describe } from './checks.ts'

/**
 * What a caller can do about a failure. Programs branch on `code`, never on `message`.
 *
 * - `ABORTED`: the caller's signal fired; `cause` is its reason.
 * - `TIMEOUT`: a limit of ours passed without an answer: it may have happened.
 * - `UNAVAILABLE`: the backend could not be reached: nothing happened.
 * - `BUSY`: someone has it, or the line is full: nothing happened; `retryAfterMs` where known.
 * - `LOST`: you had it and no longer do: discard work, do not write.
 * - `STALE`: a newer fencing token has been seen: the write was refused.
 * - `REJECTED`: understood and refused.
 * - `UNSUPPORTED`: this driver cannot do that; thrown at construction.
 * - `CLOSED`: used after close.
 */
export type ErrorCode =
  | 'ABORTED'
  | 'TIMEOUT'
  | 'UNAVAILABLE'
  | 'BUSY'
  | 'LOST'
  | 'STALE'
  | 'REJECTED'
  | 'UNSUPPORTED'
  | 'CLOSED'

// An application can carry two copies of this package; a registered symbol is the same in both.
const brand = Symbol.for('@headrace/core/error')

/** The one error class of Headrace. Recognise it with {@link isHeadraceError}, not with `instanceof`. */
export class HeadraceError extends Error {
  readonly code: ErrorCode
  /** How long to wait before a retry can succeed, where that is known; in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; retryAfterMs?: number | undefined }) {
    super(message, options && 'cause' in options ? { cause: options.cause } : undefined)
    this.name = code === 'ABORTED' ? 'AbortError' : 'HeadraceError'
    this.code = code
    this.retryAfterMs = options?.retryAfterMs
    Object.defineProperty(this, brand, { value: true })
  }

  /** True where nothing happened and the same call can be made again: `BUSY` and `UNAVAILABLE`. */
  get retryable(): boolean {
    return this.code === 'BUSY' || this.code === 'UNAVAILABLE'
  }
}

/**
 * True for an error of Headrace, of any copy of the package; with a `code`, for that code only. An error that went
 * through `structuredClone`, as between threads, has lost its code and is not recognised: send the code along.
 */
export function isHeadraceError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is HeadraceError & { readonly code: Code } {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false
  return code === undefined || (error as unknown as HeadraceError).code === code
}

/** The error for a signal that has fired; its reason becomes the `cause`. */
export function abortedError(signal: AbortSignal, what = 'the operation'): HeadraceError {
  return new HeadraceError('ABORTED', `${what} was aborted`, { cause: signal.reason })
}

/** Throws `ABORTED` when `signal` has already fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what?: string): void {
  if (signal?.aborted) throw abortedError(signal, what)
}

/** What to say of something that was thrown, for a line of text: its message, or its kind where it is not an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : describe(error)
}
