import { existsSync, readFileSync } from 'node:fs'
import { runReadme } from '@headrace/repo/readme'
import { expect, it } from 'vitest'

const root = new URL('../../../', import.meta.url)

it('the example of the README of the repository prints what it says', async () => {
  const { stdout, promised } = await runReadme(root, new URL('packages/writer/', root))
  expect(stdout).toBe(promised)
})

it.each(['README.md', 'ARCHITECTURE.md'])('every file that %s names exists', (name) => {
  const text = readFileSync(new URL(name, root), 'utf8')
  const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path!)
  const named = [...text.matchAll(/`((?:packages|apps|tools|docs)\/[\w./-]+)`/g)].map(([, path]) => path!)
  expect(links.length + named.length).toBeGreaterThan(3)
  expect([...links, ...named].filter((path) => !existsSync(new URL(path, root)))).toEqual([])
})
