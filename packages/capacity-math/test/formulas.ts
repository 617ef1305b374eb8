import * as core from '@headrace/capacity-math'
import * as estimate from '@headrace/capacity-math/estimate'
import * as networks from '@headrace/capacity-math/networks'
import * as planning from '@headrace/capacity-math/plan'
import * as queues from '@headrace/capacity-math/queues'
import * as scalability from '@headrace/capacity-math/scalability'
import * as stability from '@headrace/capacity-math/stability'

/** Every function that the package exports, but for its simulator. */
export const formulas: Readonly<Record<string, unknown>> = {
  ...core,
  ...estimate,
  ...networks,
  ...planning,
  ...queues,
  ...scalability,
  ...stability,
}
