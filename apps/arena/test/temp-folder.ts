import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that is gone at the end of the block. */
export function tempFolder(): Disposable & { file(name: string): string; readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'arena-test-'))
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}
