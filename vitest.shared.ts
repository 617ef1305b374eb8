import { defineConfig, type ViteUserConfig } from 'vitest/config'

// The node environment reads ssr.resolve.conditions; naming one replaces the defaults, so they are listed.
const conditions = ['@headrace/source', 'module', 'node', 'development|production']

const base: ViteUserConfig = { ssr: { resolve: { conditions } }, resolve: { conditions } }

/** Tests that need nothing but this process. */
export const project: ViteUserConfig = defineConfig({
  ...base,
  test: { include: ['test/**/*.test.ts'], exclude: ['test/servers/**'] },
})

/** Tests against real servers; a server that is missing fails them. */
export const servers: ViteUserConfig = defineConfig({
  ...base,
  test: { include: ['test/servers/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 30_000, fileParallelism: false },
})
