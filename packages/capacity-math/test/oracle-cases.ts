import { existsSync, readFileSync } from 'node:fs'

/** One value computed elsewhere with 40 digits; `expected` is decimal, `relTol` 0 means equal. */
export interface OracleCase {
  readonly fn: string
  readonly args: Readonly<Record<string, unknown>>
  readonly expected: string
  readonly relTol: number
  readonly stretchTol?: number
  readonly source: string
}

const whole = new URL('../../../../shared/oracle/capacity.json', import.meta.url)
const sample = new URL('./data/capacity-sample.json', import.meta.url)

/**
 * The file that is named, else the whole oracle beside the project, else the sample that is shipped with it.
 * @throws Error that names `ORACLE` where that file cannot be read or is none of cases.
 */
export function oracleCases(named: string | undefined = process.env['ORACLE']): {
  readonly origin: string
  readonly cases: readonly OracleCase[]
} {
  if (named) return { origin: 'the file that ORACLE names', cases: namedCases(named) }
  const beside = existsSync(whole)
  const { cases } = JSON.parse(readFileSync(beside ? whole : sample, 'utf8')) as { cases: OracleCase[] }
  return { origin: beside ? 'the whole oracle' : 'the shipped sample', cases }
}

function namedCases(path: string): readonly OracleCase[] {
  let file: unknown
  try {
    file = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new Error(
      `ORACLE must name a JSON file, received ${path}: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    )
  }
  if (typeof file === 'object' && file !== null && 'cases' in file && Array.isArray(file.cases)) return file.cases
  throw new Error(`ORACLE must name a file with a list of cases, received ${path}`)
}
