import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The path of a file in a folder of its own, and how to remove both. */
export function tempFile(name = 'store.db'): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-writer-'))
  return { path: join(folder, name), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
