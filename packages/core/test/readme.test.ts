import { readFileSync } from 'node:fs'
import { runReadme } from '@headrace/repo/readme'
import { expect, it } from 'vitest'

it('the example of the README prints what the README says', async () => {
  const { stdout, promised } = await runReadme(new URL('..', import.meta.url))
  expect(stdout).toBe(promised)
})

it('the README shows how to test with a test that runs here', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  expect(readme).toContain(readFileSync(new URL('heartbeat.test.ts', import.meta.url), 'utf8'))
})
