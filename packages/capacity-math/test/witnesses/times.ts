import { quorumTime, tandemTime } from '@headrace/capacity-math/queues'
import { powerOfD } from '@headrace/capacity-math/scalability'
import {
  exponentialTime,
  type Measured,
  type Sampler,
  seededUniform,
  simulatePassage,
  simulateRetries,
} from '@headrace/capacity-math/simulate'
import { drain, retryAmplification, retryStorm, timeToOverflow } from '@headrace/capacity-math/stability'
import { batchMeans } from '../../src/simulate/batch-means.ts'
import { customers, expectAgreement, meanOf, seed, shareOf, type Witnesses } from '../agreement.ts'

function quorum(): void {
  const uniform = seededUniform(seed)
  const draw = () => Array.from({ length: 5 }, () => exponentialTime(1)(uniform)).sort((a, b) => a - b)[2]!
  const time = quorumTime({ k: 3, n: 5, mu: 1 })
  expectAgreement('mean', meanOf(draw, 100_000), time.mean)
  for (const t of [0.3, 0.8, 2])
    expectAgreement(
      `P(> ${t})`,
      shareOf(() => draw() > t, 100_000),
      time.sf(t),
    )
}

function sum(): void {
  const uniform = seededUniform(seed)
  const draw = () => exponentialTime(1)(uniform) + exponentialTime(1)(uniform) + exponentialTime(0.25)(uniform)
  for (const t of [1, 2, 5])
    expectAgreement(
      `P(> ${t})`,
      shareOf(() => draw() > t),
      tandemTime([1, 1, 4]).sf(t),
    )
}

/** Each begins when it has left the station before, and the one before it this station. */
function tandem(): void {
  const [lambda, rates] = [0.6, [1, 1.4, 1]]
  const uniform = seededUniform(seed)
  const free = rates.map(() => 0)
  const times = [2, 5, 12]
  const shares = times.map(() => batchMeans(customers))
  for (let i = -customers / 5, now = 0; i < customers; i++) {
    now += exponentialTime(1 / lambda)(uniform)
    let at = now
    for (const [k, rate] of rates.entries()) {
      at = Math.max(at, free[k]!) + exponentialTime(1 / rate)(uniform)
      free[k] = at
    }
    if (i >= 0) for (const [k, t] of times.entries()) shares[k]!.add(Number(at - now > t))
  }
  const { sf } = tandemTime(rates.map((rate) => rate - lambda))
  for (const [k, t] of times.entries()) expectAgreement(`P(> ${t})`, shares[k]!.result(), sf(t))
}

/** 2,000 servers for infinitely many. Jumps of all of them at one rate, so that every jump sees a random moment. */
function choices(): void {
  const [servers, rho] = [2000, 0.8]
  const uniform = seededUniform(seed)
  const draw = () => Math.floor(uniform() * servers)
  const lengths = new Uint16Array(servers)
  const jumps = 6_000_000
  const [number, twoOrMore] = [batchMeans(jumps), batchMeans(jumps)]
  let [inside, two] = [0, 0]
  for (let i = -jumps / 2; i < jumps; i++) {
    const [one, other] = [draw(), draw()]
    if (uniform() < rho / (1 + rho)) {
      const shorter = lengths[one]! <= lengths[other]! ? one : other
      lengths[shorter]! += 1
      inside += 1
      if (lengths[shorter] === 2) two += 1
    } else if (lengths[one]! > 0) {
      if (lengths[one] === 2) two -= 1
      lengths[one]! -= 1
      inside -= 1
    }
    if (i < 0) continue
    number.add(inside / servers / rho)
    twoOrMore.add(two / servers)
  }
  const law = powerOfD({ rho, d: 2 })
  expectAgreement('W', number.result(), law.meanResponse)
  expectAgreement('two or more', twoOrMore.result(), law.shareWithAtLeast(2))
}

function attemptsPerRequest(): void {
  const uniform = seededUniform(seed)
  const attempts = () => {
    let count = 1
    while (count <= 4 && uniform() < 0.6) count += 1
    return count
  }
  expectAgreement('attempts', meanOf(attempts), retryAmplification({ p: 0.6, maxRetries: 4 }))
}

const pool = { mu: 1, servers: 2, timeout: 3, maxRetries: 3 }

function attempts(lambda: number, more: { readonly pause?: Sampler; readonly backlog?: number }): Measured {
  const { servers, timeout, maxRetries } = pool
  const run = { service: exponentialTime(1), servers, timeout, maxRetries, ...more, customers, seed }
  return simulateRetries({ arrivals: exponentialTime(1 / lambda), ...run }).attempts
}

/** Times that are not those of a line, and what retries come to. */
export const timeWitnesses: Witnesses = {
  quorumTime: { 'three of five answers': quorum },
  tandemTime: { 'a sum of three times': sum, 'three M/M/1 in a row': tandem },
  powerOfD: { 'the shorter of two queues, as a limit': choices },
  drain: {
    'eight more than three servers hold': () => {
      const [arrivals, service] = [exponentialTime(0.5), exponentialTime(1)]
      const seen = simulatePassage({ arrivals, service, servers: 3, from: 10, to: 2, runs: 30_000, seed })
      const { mean, variance } = drain({ backlog: 8, lambda: 2, mu: 1, servers: 3 })
      expectAgreement('mean', seen.mean, mean)
      expectAgreement('variance', seen.variance, variance)
    },
  },
  timeToOverflow: {
    'from empty to eight at three servers': () => {
      const [arrivals, service] = [exponentialTime(0.4), exponentialTime(1)]
      const { mean } = simulatePassage({ arrivals, service, servers: 3, from: 0, to: 8, runs: 30_000, seed })
      expectAgreement('mean', mean, timeToOverflow({ lambda: 2.5, mu: 1, servers: 3, limit: 8 }))
    },
  },
  retryAmplification: { 'four retries of what fails with 0.6': attemptsPerRequest },
  retryStorm: {
    // The map takes each attempt to find a random moment; after a long pause it does.
    'the good state, with long pauses': () => {
      expectAgreement(
        'attempts',
        attempts(0.9, { pause: exponentialTime(2000) }),
        retryStorm({ lambda: 0.9, ...pool }).attempts!,
      )
    },
    'the congested state, from which it does not come back': () => {
      const { congested } = retryStorm({ lambda: 0.9, ...pool })
      expectAgreement('attempts', attempts(0.9, { backlog: 200 }), congested!)
    },
    'no congested state where it is safe, whatever the backlog': () => {
      const { verdict } = retryStorm({ lambda: 0.45, ...pool })
      const calm = attempts(0.45, {})
      expectAgreement(verdict, attempts(0.45, { backlog: 20_000 }), calm.mean)
    },
  },
}
