import { defineConfig, type ViteUserConfig } from 'vitest/config'

// The node environment reads ssr.resolve.conditions; naming one replaces the defaults, so they are listed.
const conditions = ['@headrace/source', 'module', 'node', 'development|production']

// nx asks its children for colours; the programs that tests start are looked at as users without a terminal see them.
delete process.env['FORCE_COLOR']

const base: ViteUserConfig = { ssr: { resolve: { conditions } }, resolve: { conditions } }

// The check counts from these files, also where nx takes a result from its cache: they are outputs of the targets.
const reported = (target: string) => ({
  reporters: ['default', 'json'],
  outputFile: { json: `.results/${target}.json` },
})

/** Tests that need nothing but this process. */
export const project: ViteUserConfig = defineConfig({
  ...base,
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/servers/**'],
    // What hangs must end; what is slow on a busy machine is not wrong.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    ...reported('test'),
  },
})

/** Tests against real servers; a server that is missing fails them. */
export const servers: ViteUserConfig = defineConfig({
  ...base,
  test: {
    include: ['test/servers/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    ...reported('test-servers'),
  },
})
