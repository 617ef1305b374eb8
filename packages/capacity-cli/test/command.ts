import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '@headrace/capacity-cli'
import { afterAll } from 'vitest'

/** Of one test file, removed after it. */
export const folder: string = mkdtempSync(join(tmpdir(), 'headrace-capacity-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The command with these arguments: its exit code, and what it wrote. */
export async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await run(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  })
  return { code, out, err }
}

/** Writes a file into the folder. */
export function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
