import { fc, test } from '@fast-check/vitest'
import { expect, it } from 'vitest'
import { formulas } from './formulas.ts'
import { cheap, dear } from './fuzz-calls.ts'

// Any magnitude, the edges, and what is not a size at all.
const number = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -9, max: 9, noNaN: true }).map((exponent) => 10 ** exponent) },
  { weight: 2, arbitrary: fc.double({ min: -120, max: 120, noNaN: true }).map((exponent) => 10 ** exponent) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 0.5, 2, 1 - 2 ** -53, Number.MIN_VALUE, Number.MAX_VALUE, 2 ** 53) },
  { weight: 1, arbitrary: fc.constantFrom(-1, Number.NaN, Number.POSITIVE_INFINITY, 1.5) },
)
const count = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }) },
  { weight: 2, arbitrary: fc.double({ min: 0, max: 15, noNaN: true }).map((exponent) => Math.floor(10 ** exponent)) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 2.5, 2 ** 53 - 1, Number.NaN) },
)
const share = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  { weight: 2, arbitrary: fc.double({ min: -300, max: 0, noNaN: true }).map((exponent) => 10 ** exponent) },
  { weight: 1, arbitrary: fc.constantFrom(-0.1, 1.1, Number.NaN) },
)

// More than a hundred thousand calls with each run of the tests, and `FUZZ=100 pnpm vitest run test/fuzz.test.ts` makes more than a million.
const { FUZZ = '10' } = process.env
const timeout = 30_000 * Number(FUZZ)

let calls = 0
let values = 0

/** Every number in `value`, and of every distribution some values, is finite. */
function expectFinite(value: unknown, path: string, given: { t: number; p: number; n: number }): void {
  if (typeof value === 'number') {
    values += 1
    if (!Number.isFinite(value)) throw new Error(`${path} is ${value}`)
  } else if (typeof value === 'function') {
    const name = path.slice(path.lastIndexOf('.') + 1)
    const argument = /quantile|isf/.test(name)
      ? given.p
      : /^(pn|shareWithAtLeast|share|headShare)$/.test(name) || path.includes('population')
        ? given.n
        : given.t
    if (!/mutate/.test(name)) expectSound(path, () => value(argument), given)
  } else if (value !== null && typeof value === 'object') {
    for (const key of Object.keys(value)) expectFinite(Reflect.get(value, key), `${path}.${key}`, given)
  }
}

function expectSound(path: string, run: () => unknown, given: { t: number; p: number; n: number }): void {
  let result: unknown
  calls += 1
  try {
    result = run()
  } catch (error) {
    // A refusal names what it refuses.
    if (
      (error instanceof RangeError || error instanceof TypeError) &&
      /(must|between|no integer|no single)/.test(error.message)
    )
      return
    throw new Error(`${path}: ${error instanceof Error ? error.stack : error}`)
  }
  expectFinite(result, path, given)
}

const everything = [number, number, number, count, count, share, share, number] as const

test.prop([...everything], { numRuns: 250 * Number(FUZZ) })(
  'nothing that is quick lets a NaN or an infinity out, whatever it is given',
  (a, b, c, n, m, p, q, t) => {
    for (const [name, run] of Object.entries(cheap)) expectSound(name, () => run(a, b, c, n, m, p, q), { t, p, n: m })
  },
  timeout,
)

test.prop([...everything], { numRuns: 50 * Number(FUZZ) })(
  'nothing that is slow does either',
  (a, b, c, n, m, p, q, t) => {
    for (const [name, run] of Object.entries(dear)) expectSound(name, () => run(a, b, c, n, m, p, q), { t, p, n: m })
  },
  timeout,
)

it('that was so many calls, and hundreds of thousands of values', () => {
  expect(calls).toBeGreaterThan(11_000 * Number(FUZZ))
  expect(values).toBeGreaterThan(25_000 * Number(FUZZ))
})

it('every exported function is among them', () => {
  const text = Object.values({ ...cheap, ...dear }).join('\n')
  expect(Object.keys(formulas).filter((name) => !new RegExp(`\\b${name}(?:\\b|\\))`).test(text))).toEqual([])
})
