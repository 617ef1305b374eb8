// The entry '@headrace/capacity-math/scalability'.
export { type PowerOfD, powerOfD } from './power-of-d.ts'
export { type Usl, type UslParameters, usl } from './usl.ts'
export { fitUsl, type UslFit, type UslPoint } from './usl-fit.ts'
export { hotKeyLimit, type Zipf, zipf } from './zipf.ts'
