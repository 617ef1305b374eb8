// The entry '@headrace/capacity-math/stability'.
export { type Drain, drain, timeToOverflow } from './backlog.ts'
export { type RetryPolicy, type RetryStorm, retryAmplification, retryStorm, safeRetries } from './retry-storm.ts'
