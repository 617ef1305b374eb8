export { project as default } from '../../vitest.shared.ts'
