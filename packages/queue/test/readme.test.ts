import { runReadme } from '@headrace/repo/readme'
import { expect, it } from 'vitest'

it('the example of an outbox and an inbox prints what the README says', async () => {
  const root = new URL('..', import.meta.url)
  const { stdout, promised } = await runReadme(root, root, '## Exactly once')
  expect(stdout).toBe(promised)
})

it('the example of the README prints what the README says', async () => {
  const { stdout, promised } = await runReadme(new URL('..', import.meta.url))
  expect(stdout).toBe(promised)
})
