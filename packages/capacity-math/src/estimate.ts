// The entry '@headrace/capacity-math/estimate'.
export { type Dispersion, dispersionTest } from './dispersion.ts'
export { type Observed, poissonRate, poissonRateAnytime, type RateInterval } from './poisson-rate.ts'
