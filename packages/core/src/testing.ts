export {
  brokenRules,
  type ConformanceOptions,
  type Fixture,
  type Rule,
  runConformance,
  type TestFunction,
} from './conformance.ts'
export { type History, type Operation, recordHistory } from './history.ts'
export { type ManualClock, manualClock } from './manual-clock.ts'
