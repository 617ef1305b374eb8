import { type Clock, HeadraceError, isHeadraceError, within } from '@headrace/core'

/**
 * Waits for one call of a driver, at most `ms`.
 * @throws HeadraceError: `TIMEOUT`, or `UNAVAILABLE` with what the driver rejected with as its cause.
 */
export async function backendCall<T>(clock: Clock, ms: number, what: string, work: Promise<T>): Promise<T> {
  try {
    return await within(clock, ms, work, { what })
  } catch (cause) {
    throw backendError(what, cause)
  }
}

export function backendError(what: string, cause: unknown): HeadraceError {
  return isHeadraceError(cause) ? cause : new HeadraceError('UNAVAILABLE', `${what} failed`, { cause })
}
