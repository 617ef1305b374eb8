import type { ViteUserConfig } from 'vitest/config'
import { project } from '../../vitest.shared.ts'

// Without "module": what OpenTelemetry has under it is for bundlers, and Node cannot load it.
const conditions = ['@headrace/source', 'node', 'development|production']

const config: ViteUserConfig = { ...project, ssr: { resolve: { conditions } }, resolve: { conditions } }
export default config
