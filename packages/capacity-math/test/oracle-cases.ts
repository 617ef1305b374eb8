import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

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

/** The file that `ORACLE` names, else the whole oracle beside the project, else the sample that is shipped with it. */
export function oracleCases(): { readonly origin: string; readonly cases: readonly OracleCase[] } {
  const { ORACLE: named } = process.env
  const [origin, path] = named
    ? ['the file that ORACLE names', named]
    : existsSync(whole)
      ? ['the whole oracle', fileURLToPath(whole)]
      : ['the shipped sample', fileURLToPath(sample)]
  const { cases } = JSON.parse(readFileSync(path, 'utf8')) as { cases: OracleCase[] }
  return { origin, cases }
}
