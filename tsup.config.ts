import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { defineConfig } from 'tsup'

// Every package builds what its `exports` names, and nothing else.
export default defineConfig(() => {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    exports: Record<string, Record<string, string>>
  }
  const sources = Object.values(exports).flatMap((entry) => entry['@headrace/source'] ?? [])
  return {
    entry: Object.fromEntries(sources.map((path) => [basename(path, '.ts'), path])),
    format: 'esm',
    target: 'node22',
    dts: true,
    sourcemap: true,
    clean: true,
    // esbuild strips the `node:` prefix unless told otherwise; `node:sqlite` exists only with it.
    removeNodeProtocol: false,
  }
})
