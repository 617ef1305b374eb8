import { describe, expect, it } from 'vitest'
import { oracleCases, oracleTable } from './oracle-table.ts'

const { origin, cases } = oracleCases()
// Where an argument difference decides, the fraction of the cases that must reach the tighter bound.
const stretchShare = 0.99

function relativeError(fn: string, args: Readonly<Record<string, number>>, expected: string): number {
  const got = oracleTable[fn]!(args)
  const wanted = Number(expected)
  return got === wanted ? 0 : Math.abs(got - wanted) / Math.abs(wanted)
}

describe(`${origin}: ${cases.length} values`, () => {
  it.each(Object.keys(oracleTable).filter((fn) => cases.some((it) => it.fn === fn)))('%s', (fn) => {
    const misses = cases
      .filter((it) => it.fn === fn)
      .map((it) => ({ ...it, error: relativeError(fn, it.args, it.expected) }))
      .filter((it) => !(it.error <= it.relTol))
    expect(misses).toEqual([])
  })

  it('is not empty, and nearly all of it reaches the tighter bound', () => {
    expect(cases.length).toBeGreaterThan(300)
    const stretch = cases.filter((it) => it.stretchTol !== undefined)
    const reached = stretch.filter((it) => relativeError(it.fn, it.args, it.expected) <= it.stretchTol!)
    expect(reached.length).toBeGreaterThanOrEqual(stretchShare * stretch.length)
  })
})
