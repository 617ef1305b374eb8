import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { exampleOf, runReadme } from '../src/readme.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-readme-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

const run = (readme: string) => {
  writeFileSync(join(folder, 'README.md'), readme)
  return runReadme(pathToFileURL(`${folder}/`))
}

it('the first example runs as TypeScript and its output is given with what it promises', async () => {
  const result = await run(
    '# x\n\n```ts\nconst n: number = 41\nconsole.log(n + 1)\n// 42\n```\n\n```ts\nnot run\n```\n',
  )
  expect(result).toEqual({ stdout: '42', promised: '42' })
})

it('the output has no colours, also where the runner of the tests asks for them', async () => {
  vi.stubEnv('FORCE_COLOR', '1')
  expect((await run('```ts\nconsole.log([1])\n// [ 1 ]\n```\n')).stdout).toBe('[ 1 ]')
})

it('a promise can have several lines, and only the last comment is one', () => {
  const readme = '```sh\nls\n```\n```ts\n// why\nlet a = 1 // one\n// first\n//   indented\n//\n// last\nlet b\n```\n'
  expect(exampleOf(readme).promised).toBe('first\n  indented\n\nlast')
})

it('an example that throws fails with what it wrote to stderr', async () => {
  await expect(run('```ts\nthrow new Error("no such server")\n// never\n```\n')).rejects.toThrow('no such server')
})

it('an example of a section can be asked for by its heading', () => {
  const readme = '```ts\n1\n// first\n```\n\n## Twice\n\nso:\n\n```ts\n2\n// second\n```\n'
  expect(exampleOf(readme, '## Twice')).toEqual({ code: '2\n// second\n', promised: 'second' })
  expect(() => exampleOf(readme, '## Thrice')).toThrow('no section "## Thrice"')
})

it('a README without an example, or without a promise, is an error', () => {
  expect(() => exampleOf('# x\n```js\n1\n```\n')).toThrow('no ts block')
  expect(() => exampleOf('```ts\nlet a = 1 // one\n```\n')).toThrow('no comment')
})
