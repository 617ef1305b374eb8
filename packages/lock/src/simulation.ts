export { checkLeases, type LeaseHistory, type LeaseRecord, recordLeases } from './simulation/history.ts'
export { type Faults, type SimulatedServer, simulatedServer } from './simulation/server.ts'
