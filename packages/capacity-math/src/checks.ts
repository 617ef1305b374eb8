// This package imports nothing, so it has its own few lines of what @headrace/core also checks.

/** @throws TypeError or RangeError that names the parameter unless `value` is a number in [min, max]. */
export function checkNumber(name: string, value: unknown, min: number, max: number): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, received ${typeof value}`)
  if (!(value >= min && value <= max)) throw new RangeError(`${name} must be from ${min} to ${max}, received ${value}`)
}

/** @throws TypeError or RangeError that names the parameter unless `value` is an integer in [min, 2^53). */
export function checkInteger(name: string, value: unknown, min: number): asserts value is number {
  checkNumber(name, value, min, Number.MAX_SAFE_INTEGER)
  if (!Number.isInteger(value)) throw new RangeError(`${name} must be an integer, received ${value}`)
}

/** @throws TypeError or RangeError that names the parameter unless `value` is at least 1e-300 and below 1. */
export function checkProbability(name: string, value: unknown): asserts value is number {
  checkNumber(name, value, 0, 1)
  if (value === 0 || value === 1) throw new RangeError(`${name} must be above 0 and below 1, received ${value}`)
  if (value < probabilityMin) throw new RangeError(`${name} must be ${probabilityMin} or more, received ${value}`)
}

/** @throws TypeError or RangeError that names the parameter unless `value` is 0 or in [1e-100, 1e100]. */
export function checkRate(name: string, value: unknown): asserts value is number {
  checkNumber(name, value, 0, magnitudeMax)
  if (value > 0 && value < 1 / magnitudeMax)
    throw new RangeError(`${name} must be 0 or ${1 / magnitudeMax} or more, received ${value}`)
}

/** Beyond this a count is no longer an exact binary64 integer. */
export const countMax: number = Number.MAX_SAFE_INTEGER

/** Rates and times farther from 1 than this are unit mistakes, and their squares would leave the range of binary64. */
export const magnitudeMax = 1e100

/** Below this the reciprocal of a probability leaves the range of binary64. */
const probabilityMin = 1e-300
