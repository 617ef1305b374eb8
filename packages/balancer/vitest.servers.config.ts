export { servers as default } from '../../vitest.shared.ts'
