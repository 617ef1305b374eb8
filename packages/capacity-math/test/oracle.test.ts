import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type OracleCase, oracleCases } from './oracle-cases.ts'
import { oracleTable } from './oracle-table.ts'

const { origin, cases } = oracleCases()
// Where an argument difference decides, the fraction of the cases that must reach the tighter bound.
const stretchShare = 0.99

function relativeError({ fn, args, expected }: OracleCase): number {
  const got = oracleTable[fn]!(args)
  const wanted = Number(expected)
  return got === wanted ? 0 : Math.abs(got - wanted) / Math.abs(wanted)
}

describe(`${origin}: ${cases.length} values`, () => {
  it('asks for nothing that the table does not have, and is not empty', () => {
    expect(cases.map(({ fn }) => fn).filter((fn) => !(fn in oracleTable))).toEqual([])
    expect(cases.length).toBeGreaterThan(300)
  })

  it.each([...new Set(cases.map(({ fn }) => fn))].filter((fn) => fn in oracleTable))('%s', (fn) => {
    const misses = cases
      .filter((it) => it.fn === fn)
      .map((it) => ({ ...it, error: relativeError(it) }))
      .filter((it) => !(it.error <= it.relTol))
    expect(misses).toEqual([])
  })

  it('nearly all of it reaches the tighter bound', () => {
    const stretch = cases.filter((it) => it.stretchTol !== undefined && it.fn in oracleTable)
    const reached = stretch.filter((it) => relativeError(it) <= it.stretchTol!)
    expect(reached.length).toBeGreaterThanOrEqual(stretchShare * stretch.length)
  })
})

describe('where the values come from', () => {
  it('a file that is named is read, and the path of the shipped sample is one', () => {
    const path = fileURLToPath(new URL('data/capacity-sample.json', import.meta.url))
    expect(oracleCases(path).origin).toBe('the file that ORACLE names')
    expect(oracleCases(path).cases.length).toBeGreaterThan(300)
  })

  it('a name that is none is refused, and not passed over', () => {
    expect(() => oracleCases('no/such/oracle.json')).toThrow(
      'ORACLE must name a JSON file, received no/such/oracle.json: ENOENT',
    )
    const other = fileURLToPath(new URL('../package.json', import.meta.url))
    expect(() => oracleCases(other)).toThrow('ORACLE must name a file with a list of cases')
  })

  it('no name, and an empty one, leave what is there', () => {
    expect(oracleCases('').origin).not.toContain('ORACLE')
  })
})
