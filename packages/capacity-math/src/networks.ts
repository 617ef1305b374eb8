// The entry '@headrace/capacity-math/networks'.
export { type ClosedBounds, closedBounds } from './closed-bounds.ts'
export { type JacksonNetwork, type JacksonStation, jackson } from './jackson.ts'
export { type ClosedNetwork, type ClosedStation, closedNetwork, mva } from './mva.ts'
export { type MulticlassNetwork, mvaMulticlass } from './mva-multiclass.ts'
