import { readFileSync } from 'node:fs'
import * as simulate from '@headrace/capacity-math/simulate'
import { runReadme } from '@headrace/repo/readme'
import { expect, it } from 'vitest'
import { formulas } from './formulas.ts'

const readme = new URL('..', import.meta.url)

it('the example of the README prints what the README says', async () => {
  const { stdout, promised } = await runReadme(readme)
  expect(stdout).toBe(promised)
})

it('the README has every function in its tables', () => {
  const text = readFileSync(new URL('README.md', readme), 'utf8')
  const simulations = Object.keys(simulate).filter((name) => name.startsWith('simulate'))
  const missing = [...Object.keys(formulas), ...simulations].filter((name) => !text.includes(`\`${name}\``))
  expect(missing).toEqual([])
})
