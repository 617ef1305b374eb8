import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('the example of the README prints what the README says', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!
  const promised = /^\/\/ (.*)$/m.exec(example)![1]
  const root = new URL('..', import.meta.url)
  const run = promisify(execFile)
  const { stdout } = await run(
    process.execPath,
    ['--conditions=@headrace/source', '--input-type=module-typescript', '--eval', example],
    { cwd: root },
  )
  expect(stdout.trim()).toBe(promised)
})
