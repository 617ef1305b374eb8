import { readFileSync } from 'node:fs'
import { runReadme } from '@headrace/repo/readme'
import { createWriter } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'
import { expect, it } from 'vitest'
import { checkedOptions } from '../src/options.ts'

it('the example of the README prints what the README says', async () => {
  const { stdout, promised } = await runReadme(new URL('..', import.meta.url))
  expect(stdout).toBe(promised)
})

it('the README lists the options with their defaults', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const required = { name: 'w', initial: () => 0, decide: () => ({ result: 0 }), store: memoryStore() }
  createWriter(required)
  for (const [option, value] of Object.entries(checkedOptions(required))) {
    if (option === 'clock' || option === 'random') continue
    const row = new RegExp(`^\\| \`${option}\` +\\| ([^|]+?) +\\|`, 'm').exec(readme)?.[1]
    const written = option in required ? 'required' : ((value as number | undefined)?.toLocaleString('en') ?? 'none')
    expect([option, row]).toEqual([option, written])
  }
})
