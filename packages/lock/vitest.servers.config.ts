import { mergeConfig } from 'vitest/config'
import { servers } from '../../vitest.shared.ts'

// The npm package node-redlock ships TypeScript and no JavaScript.
export default mergeConfig(servers, { test: { server: { deps: { inline: [/node-redlock/] } } } })
