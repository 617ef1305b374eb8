import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('whatever fails, no rejection is unhandled, and after close nothing keeps the process alive', async () => {
  const script = fileURLToPath(new URL('failing-process.ts', import.meta.url))
  const flags = ['--conditions=@headrace/source', '--unhandled-rejections=strict', script]
  // It rejects where the process ends with another code than 0, or must be ended.
  const { stdout, stderr } = await promisify(execFile)(process.execPath, flags, { timeout: 30_000 })
  expect(stdout).toBe('closed')
  expect(stderr.replaceAll(/.*(ExperimentalWarning|--trace-warnings).*\n/g, '')).toBe('')
})
