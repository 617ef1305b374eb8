import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { defineConfig } from 'tsup'

// The libraries are devDependencies, which tsup puts into the output: the command is one package to install (decision 30). Some of
// them are CommonJS and ask for Node's own modules with `require`.
export default defineConfig({
  entry: { index: 'src/index.ts', cli: 'src/cli.ts' },
  format: 'esm',
  platform: 'node',
  target: 'node22',
  dts: true,
  clean: true,
  metafile: true,
  removeNodeProtocol: false,
  // Node's own modules by their full name, also where a library leaves the prefix out.
  esbuildOptions(options) {
    const bare = builtinModules.filter((name) => !/[:/_]/.test(name))
    options.alias = Object.fromEntries(bare.map((name) => [name, `node:${name}`]))
  },
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  },
  async onSuccess() {
    writeFileSync('dist/THIRD-PARTY-LICENSES.txt', licences('dist/metafile-esm.json'))
  },
})

/** The licence of every library of which something is in the output: their authors ask for no more. */
function licences(metafile: string): string {
  const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as { inputs: Record<string, unknown> }
  const folders = new Set(
    Object.keys(inputs).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  )
  return [...folders]
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const [file] = globSync('{LICENSE,LICENCE,License,license}*', { cwd: folder })
      const text = file === undefined ? `License: ${license}` : readFileSync(join(folder, file), 'utf8').trim()
      return `${name} ${version}\n\n${text}\n`
    })
    .sort()
    .join(`\n${'-'.repeat(80)}\n\n`)
}
