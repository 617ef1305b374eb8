import { checkInteger, checkNumber } from '@headrace/core'

export interface ConsumeOptions {
  /** Handlers that run at a time; 16. With `auto` it grows while that does not make them slower, and shrinks when it does. */
  readonly concurrency?: number | 'auto' | undefined
  /** How far `auto` may go; 256. */
  readonly concurrencyMax?: number | undefined
  /** Deliveries of one partition that this consumer holds at a time, waiting ones included; 256. */
  readonly prefetch?: number | undefined
  /** A handler that takes longer is aborted, and unless it succeeds even so the attempt has failed; 30,000. */
  readonly handlerMs?: number | undefined
  /** How long an aborted handler keeps its key and its place before it is given up; 5,000. */
  readonly graceMs?: number | undefined
  /**
   * Deliveries that ended with their process or connection after which a message is given up, as `onExhausted` says; 20. Those
   * that were delivered beside it as often are handled one by one, and not given up with it.
   */
  readonly redeliveriesMax?: number | undefined
  /** How long `close` waits for running handlers; 10,000. */
  readonly drainMs?: number | undefined
  /** Waiting this long in the consumer counts as one more level of priority, so that nothing starves; 1,000. */
  readonly priorityAgeMs?: number | undefined
  /** The partitions to consume; all by default. */
  readonly partitions?: readonly number[] | undefined
}

export interface BatchOptions extends ConsumeOptions {
  /** Messages in a batch at most; 100. */
  readonly sizeMax?: number | undefined
  /** How long a message waits for company; 0, the default, takes what is there. */
  readonly lingerMs?: number | undefined
}

export interface Consumer extends AsyncDisposable {
  /**
   * Stops taking messages, waits for running handlers at most `drainMs`, and gives back what was not begun. Handlers
   * that still run when the time is over or `signal` fires are aborted; their messages are delivered again.
   * @returns how many handlers were given up.
   */
  close(options?: { readonly signal?: AbortSignal | undefined }): Promise<{ readonly abandoned: number }>
  stats(): ConsumerStats
}

export interface ConsumerStats {
  /** Handlers that run, and that may run at a time. */
  readonly running: number
  readonly concurrency: number
  /** Messages held by this consumer, those in handlers included. */
  readonly held: number
  /** Wall clock at which the oldest of them was published. */
  readonly oldestAtMs: number | undefined
}

/** @throws TypeError or RangeError naming the option that is wrong. */
export function checkedOptions(
  options: BatchOptions,
  partitionCount: number,
): { readonly [Name in keyof BatchOptions]-?: NonNullable<BatchOptions[Name]> } {
  const {
    concurrency = 16,
    concurrencyMax = 256,
    prefetch = 256,
    handlerMs = 30_000,
    graceMs = 5_000,
    drainMs = 10_000,
  } = options
  const { redeliveriesMax = 20, sizeMax = 100, lingerMs = 0, priorityAgeMs = 1_000 } = options
  const { partitions = Array.from({ length: partitionCount }, (_, partition) => partition) } = options
  if (concurrency !== 'auto') checkInteger('concurrency', concurrency, { min: 1, max: 10_000 })
  checkInteger('concurrencyMax', concurrencyMax, { min: 1, max: 10_000 })
  checkInteger('prefetch', prefetch, { min: 1, max: 65_535 })
  checkInteger('sizeMax', sizeMax, { min: 1, max: 65_535 })
  checkInteger('redeliveriesMax', redeliveriesMax, { min: 1 })
  checkNumber('handlerMs', handlerMs, { min: 1 })
  checkNumber('priorityAgeMs', priorityAgeMs, { min: 1 })
  for (const [name, ms] of Object.entries({ graceMs, drainMs, lingerMs })) checkNumber(name, ms, { min: 0 })
  for (const partition of partitions) checkInteger('a partition', partition, { min: 0, max: partitionCount - 1 })
  if (partitions.length === 0) throw new RangeError('partitions must name at least one')
  if (new Set(partitions).size < partitions.length) throw new RangeError('partitions must not name one twice')
  return {
    concurrency,
    concurrencyMax,
    prefetch,
    handlerMs,
    graceMs,
    drainMs,
    redeliveriesMax,
    sizeMax,
    lingerMs,
    priorityAgeMs,
    partitions,
  }
}
