import { mergeConfig } from 'vitest/config'
import { project } from '../../vitest.shared.ts'

export default mergeConfig(project, { test: { typecheck: { enabled: true, include: ['test/**/*.test-d.ts'] } } })
