// The entry '@headrace/capacity-math/estimate'.
export { type Dispersion, dispersionTest } from './dispersion.ts'
export { expectedAges, type FlowMonitor, type FlowReport, flowMonitor } from './monitor.ts'
export { type Observed, poissonRate, poissonRateAnytime, type RateInterval } from './poisson-rate.ts'
export {
  type Estimate,
  type TrafficEstimator,
  type TrafficReport,
  trafficEstimator,
  type WindowDispersion,
} from './traffic-estimator.ts'
