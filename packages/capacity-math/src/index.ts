export type { Distribution } from './distribution.ts'
export {
  type ErlangADemand,
  type ErlangAQueue,
  erlangA,
  minServersForAbandonment,
  minServersForServiceLevel,
} from './erlang-a.ts'
export { erlangB, logErlangB, minServersForBlocking } from './erlang-b.ts'
export { maxLoadForBlocking } from './erlang-b-load.ts'
export { erlangC, logErlangC, maxLoadForWait, minServersForWait } from './erlang-c.ts'
export { halfinWhitt, halfinWhittBeta } from './halfin-whitt.ts'
export { type LittlesLaw, type LittleWindow, littlesLaw, littlesLawInWindow, utilizationLaw } from './little.ts'
export { type MmcInput, type MmcQueue, mmc } from './mmc.ts'
export { maxRateForMeanWait, maxRateForResponseTail, maxRateForWaitTail, type Pool } from './mmc-rates.ts'
export {
  type Demand,
  minServersForMeanWait,
  minServersForResponseTail,
  minServersForWaitTail,
} from './mmc-servers.ts'
export { type MmckInput, minCapacity, mmck, mmckBlocking } from './mmck.ts'
export { poissonCdf, poissonLogCdf, poissonLogPmf, poissonLogSf, poissonPmf, poissonSf } from './poisson.ts'
export { poissonIsf, poissonQuantile } from './poisson-quantile.ts'
export type { Population } from './population.ts'
export type { Kind, QueueModel, StableQueue, UnstableQueue } from './queue.ts'
