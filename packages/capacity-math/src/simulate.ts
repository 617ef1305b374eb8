// The entry '@headrace/capacity-math/simulate'.
export type { Measured } from './simulate/batch-means.ts'
export { type SimulatedBatches, simulateBatchWriter, simulateFlush, simulateTokenBucket } from './simulate/batches.ts'
export { type SimulatedNetwork, type SimulatedStation, simulateNetwork } from './simulate/network.ts'
export { type SimulatedPassage, simulatePassage } from './simulate/passage.ts'
export { type SimulatedClass, simulatePriority } from './simulate/priority.ts'
export { type QueueSimulation, type SimulatedQueue, simulateQueue } from './simulate/queue.ts'
export {
  constantTime,
  erlangTime,
  exponentialTime,
  hyperexponentialTime,
  poissonCount,
  replayedTime,
  type Sampler,
  seededUniform,
  type Uniform,
} from './simulate/random.ts'
export { type SimulatedRetries, simulateRetries } from './simulate/retries.ts'
export { type SimulatedSharing, simulateSharing } from './simulate/sharing.ts'
