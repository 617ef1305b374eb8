export { type Output, run } from './run.ts'
export { readTrace, type Trace } from './trace.ts'
