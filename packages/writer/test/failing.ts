/** Fails the first calls in the ways that are listed, then lets the others through. */
export function inTurn<Args extends unknown[], Value>(
  good: (...args: Args) => Promise<Value>,
  ways: ((run: () => Promise<Value>) => Promise<Value>)[],
): (...args: Args) => Promise<Value> {
  let calls = 0
  return (...args) => (ways[calls++] ?? ((run) => run()))(() => good(...args))
}

export const failsBefore = (): Promise<never> => Promise.reject(new Error('broken'))
export const failsAfter = async (run: () => Promise<unknown>): Promise<never> => {
  await run()
  throw new Error('the connection broke')
}
