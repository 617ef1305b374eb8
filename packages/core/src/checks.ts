import { Buffer } from 'node:buffer'

const keyMaxBytes = 512

/**
 * Checks what a caller gave as a key: a non-empty, well-formed string of at most 512 bytes in UTF-8.
 * @throws TypeError or RangeError that names `name` and what was received, never the key itself.
 */
export function checkKey(name: string, key: unknown): asserts key is string {
  if (typeof key !== 'string') throw new TypeError(`${name} must be a string, received ${describe(key)}`)
  if (key === '') throw new RangeError(`${name} must not be empty`)
  // Up to a third of the limit every string fits, whatever its characters are.
  if (key.length > keyMaxBytes / 3) {
    const bytes = key.length > keyMaxBytes ? key.length : Buffer.byteLength(key)
    if (bytes > keyMaxBytes)
      throw new RangeError(`${name} must be at most ${keyMaxBytes} bytes, received ${bytes} or more`)
  }
  // A lone surrogate becomes U+FFFD in UTF-8, where two different keys would turn into one.
  if (!key.isWellFormed()) throw new RangeError(`${name} must be well-formed Unicode`)
}

/** @throws TypeError or RangeError unless `value` is a number in [min, max]; `Infinity` only where `max` is. */
export function checkNumber(name: string, value: unknown, range: { min?: number; max?: number } = {}): void {
  const { min = Number.NEGATIVE_INFINITY, max = Number.MAX_VALUE } = range
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, received ${describe(value)}`)
  if (!(value >= min && value <= max)) throw new RangeError(`${name} must be from ${min} to ${max}, received ${value}`)
}

/** @throws TypeError or RangeError unless `value` is a safe integer in [min, max]. */
export function checkInteger(name: string, value: unknown, range: { min?: number; max?: number } = {}): void {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = range
  checkNumber(name, value, { min, max })
  if (!Number.isInteger(value)) throw new RangeError(`${name} must be an integer, received ${value}`)
}

/** @throws TypeError unless `value` is a function. */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function, received ${describe(value)}`)
}

/** The kind of a value, for an error message: its type, never its content. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : typeof value
}
