import { Buffer } from 'node:buffer'
import {
  checkFunction,
  checkInteger,
  checkKey,
  checkNumber,
  cryptoRandom,
  HeadraceError,
  systemClock,
} from '@headrace/core'
import type { QueueDriver } from './driver.ts'
import type { QueueOptions, RetryOptions } from './queue.ts'

// Ten years: longer is a mistake.
export const holdMaxMs: number = 10 * 365 * 86_400_000

type Optional = 'schema' | 'observe' | 'ttlMs' | 'tracing'
type Given<Options> = { readonly [Name in keyof Options]-?: NonNullable<Options[Name]> }

export type CheckedQueueOptions<Body, Sent> = Given<Omit<QueueOptions<Body, Sent>, Optional | 'retry'>> & {
  readonly [Name in Optional]: QueueOptions<Body, Sent>[Name]
} & { readonly retry: Given<RetryOptions> }

/**
 * The options of a queue with their defaults.
 * @throws TypeError or RangeError naming the option that is wrong; HeadraceError `UNSUPPORTED` for what the driver cannot do.
 */
export function checkedQueueOptions<Body, Sent>(
  driver: QueueDriver,
  name: string,
  options: QueueOptions<Body, Sent>,
): CheckedQueueOptions<Body, Sent> {
  const { partitions = 8, schema, depthMax = 1_000_000, windowMax = 10_000, windowBytesMax = 64 * 2 ** 20 } = options
  const { messageBytesMax = Math.min(2 ** 20, driver.supports.messageBytesMax), publishMs = 10_000 } = options
  const { callMs = 10_000, clock = systemClock, random = cryptoRandom, observe, tracing, ttlMs } = options
  const { onExhausted = 'dead-letter', onExpired = 'dead-letter', onFull = 'reject', parkedKeysMax = 1_000 } = options
  const { requestsMax = 10_000 } = options
  const { attempts = 5, delayMinMs = 100, delayMaxMs = 10_000 } = options.retry ?? {}
  checkKey('name', name)
  if (Buffer.byteLength(name) > 200) throw new RangeError('name must be at most 200 bytes')
  checkInteger('partitions', partitions, { min: 1, max: 1_024 })
  checkInteger('attempts', attempts, { min: 1, max: 1_000 })
  checkInteger('depthMax', depthMax, { min: 1 })
  checkInteger('parkedKeysMax', parkedKeysMax, { min: 1, max: 100_000 })
  checkInteger('requestsMax', requestsMax, { min: 1 })
  checkInteger('windowMax', windowMax, { min: 1, max: 1_000_000 })
  checkInteger('windowBytesMax', windowBytesMax, { min: 1 })
  checkInteger('messageBytesMax', messageBytesMax, { min: 1, max: driver.supports.messageBytesMax })
  checkNumber('publishMs', publishMs, { min: 1 })
  checkNumber('callMs', callMs, { min: 1 })
  if (ttlMs !== undefined) checkNumber('ttlMs', ttlMs, { min: 1, max: holdMaxMs })
  checkWord('onExhausted', onExhausted, ['dead-letter', 'park'])
  checkWord('onExpired', onExpired, ['dead-letter', 'drop'])
  checkWord('onFull', onFull, ['reject', 'dead-letter'])
  if (tracing) for (const name of ['send', 'process'] as const) checkFunction(`tracing.${name}`, tracing[name])
  if (schema) checkFunction('schema["~standard"].validate', schema['~standard']?.validate)
  const unsupported = (what: string) => new HeadraceError('UNSUPPORTED', `${driver.name} cannot ${what}`)
  if (options.depthMax !== undefined && !driver.supports.depthMax) throw unsupported('bound the depth of a queue')
  if (onExhausted === 'park' && !driver.supports.park) throw unsupported('park keys')
  if (onFull === 'dead-letter' && !driver.supports.evict)
    throw unsupported('give up the oldest message of a full queue')
  return {
    partitions,
    schema,
    depthMax,
    windowMax,
    windowBytesMax,
    messageBytesMax,
    publishMs,
    callMs,
    clock,
    random,
    observe,
    tracing,
    requestsMax,
    ttlMs,
    onExhausted,
    onExpired,
    onFull,
    parkedKeysMax,
    retry: { attempts, delayMinMs, delayMaxMs },
  }
}

function checkWord(name: string, word: string, words: readonly string[]): void {
  if (!words.includes(word)) throw new TypeError(`${name} must be ${words.join(' or ')}, received ${String(word)}`)
}
