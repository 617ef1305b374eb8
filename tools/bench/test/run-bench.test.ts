import { randomBelow } from '@headrace/core'
import { expect, it } from 'vitest'
import { type BenchCase, type Contestant, defineBench } from '../src/bench.ts'
import { runBench } from '../src/run-bench.ts'

const oneCase = (benchCase: Partial<BenchCase>, bench: { runs?: number; limitMs?: number } = {}) =>
  defineBench({
    about: 'Fakes.',
    cases: [{ name: 'fake', metrics: { perSec: '1/s' }, ours: () => ({ perSec: 1 }), ...benchCase }],
    ...bench,
  })

/** Gives the values in turn; the first one is for the warm-up. */
const inTurn = (...values: number[]): Contestant => {
  let turn = 0
  return () => ({ perSec: values[turn++]! })
}

it('a row has the medians, their ratio, and the extremes of the ratios within a repetition; the warm-up does not count', async () => {
  const bench = oneCase({ ours: inTurn(9_999, 10, 30, 20), peers: { theirs: inTurn(1, 5, 10, 20) } }, { runs: 3 })
  expect(await runBench('x', bench)).toEqual([
    {
      bench: 'x',
      case: 'fake',
      metric: 'perSec',
      unit: '1/s',
      ours: 20,
      peer: 10,
      peerName: 'theirs',
      ratio: 2,
      ratioMin: 1,
      ratioMax: 3,
      runs: 3,
    },
  ])
})

it('a case without peers gives its figure alone', async () => {
  const [row] = await runBench('x', oneCase({}))
  expect(row).toMatchObject({
    ours: 1,
    peer: null,
    peerName: null,
    ratio: null,
    ratioMin: null,
    ratioMax: null,
    runs: 5,
  })
})

it('contestants take turns, each first as often as last, and warm up once each', async () => {
  const order: string[] = []
  const noted = (name: string): Contestant => {
    return ({ warmUp }) => {
      order.push(warmUp ? name : name.toUpperCase())
      return { perSec: 1 }
    }
  }
  await runBench('x', oneCase({ ours: noted('a'), peers: { b: noted('b'), c: noted('c') } }, { runs: 4 }))
  expect(order.join('')).toBe('cbaABCCBAABCCBA')
})

it('a measurement with several metrics gives a row for each, and a peer only the rows of what it delivers', async () => {
  const bench = oneCase({
    metrics: { perSec: '1/s', p99Ms: 'ms', lost: '' },
    ours: () => ({ perSec: 8, p99Ms: 3, lost: 0 }),
    peers: { a: () => ({ perSec: 4, p99Ms: 6, lost: 0 }), b: () => ({ perSec: 2 }) },
  })
  const rows = await runBench('x', bench, { quick: true })
  expect(rows.map(({ metric, peerName, ratio }) => [metric, peerName, ratio])).toEqual([
    ['perSec', 'a', 2],
    ['perSec', 'b', 4],
    ['p99Ms', 'a', 0.5],
    ['lost', 'a', null],
  ])
})

it('quick takes three repetitions and shorter ones', async () => {
  const durations: number[] = []
  const ours: Contestant = ({ durationMs }) => {
    durations.push(durationMs)
    return { perSec: 1 }
  }
  const [row] = await runBench('x', oneCase({ ours }, { runs: 9 }), { quick: true })
  await runBench('x', oneCase({ ours }, { runs: 3 }))
  expect(row?.runs).toBe(3)
  expect(durations).toEqual([300, 300, 300, 300, 2_000, 2_000, 2_000, 2_000])
})

it('contestants of one repetition draw the same numbers, those of the next one others, and a seed repeats them', async () => {
  const draws = async (seed: number) => {
    const drawn: [number, number][] = []
    const draw: Contestant = ({ random, seed }) => {
      drawn.push([seed, randomBelow(random, 1e9)])
      return { perSec: 1 }
    }
    await runBench('x', oneCase({ ours: draw, peers: { theirs: draw } }), { seed, quick: true })
    return drawn.map(([, number]) => number)
  }
  const first = await draws(7)
  for (let round = 0; round < 4; round++) expect(first[2 * round]).toBe(first[2 * round + 1])
  expect(new Set(first).size).toBe(4)
  expect(await draws(7)).toEqual(first)
})

it('what a contestant throws, or does not deliver, ends the bench with its name', async () => {
  const boom = () => Promise.reject(new Error('boom'))
  await expect(runBench('x', oneCase({ peers: { theirs: boom } }))).rejects.toThrow('theirs in case "fake": boom')
  await expect(runBench('x', oneCase({ ours: () => ({}) }))).rejects.toThrow(
    'ours in case "fake" did not deliver perSec',
  )
  await expect(runBench('x', oneCase({ ours: () => ({ perSec: 1, other: 2 }) }))).rejects.toThrow(
    '"other" is not declared',
  )
  await expect(runBench('x', oneCase({ ours: () => ({ perSec: Number.NaN }) }))).rejects.toThrow('finite number')
  const once = inTurn(1, 2)
  const fading: Contestant = (context) => {
    const { perSec } = once(context) as { perSec?: number }
    return perSec === undefined ? {} : { perSec }
  }
  await expect(runBench('x', oneCase({ peers: { fading } }))).rejects.toThrow('fading in case "fake" did not deliver')
})

it('a contestant that never answers is given up at the limit, and its signal says so', async () => {
  let given: AbortSignal | undefined
  const hang: Contestant = ({ signal }) => {
    given = signal
    return new Promise(() => {})
  }
  await expect(runBench('x', oneCase({ ours: hang }, { limitMs: 5 }))).rejects.toThrow('no answer within 5 ms')
  expect(given?.aborted).toBe(true)
})

it('an interruption ends the bench in the same turn, with the signal of the contestant', async () => {
  const stop = new AbortController()
  let given: AbortSignal | undefined
  const ours: Contestant = ({ signal }) => {
    given = signal
    stop.abort()
    return new Promise(() => {})
  }
  await expect(runBench('x', oneCase({ ours }), { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' })
  expect(given?.aborted).toBe(true)
})

it('a server that the bench does not name has no address', async () => {
  const ours: Contestant = ({ url }) => ({ perSec: url('redis').length })
  await expect(runBench('x', oneCase({ ours }))).rejects.toThrow('servers of the bench must name "redis"')
})

it('a bench that cannot be compared is refused when it is defined', () => {
  expect(() => oneCase({}, { runs: 2 })).toThrow('runs must be an integer of at least 3, received 2')
  expect(() => oneCase({ metrics: {} })).toThrow('metrics of case "fake" must not be empty')
  expect(() => oneCase({ peers: { ours: inTurn() } })).toThrow('must not have one called "ours"')
  expect(() => defineBench({ about: '', cases: [] })).toThrow('cases must not be empty')
  const same = { name: 'a', metrics: { m: '' }, ours: inTurn() }
  expect(() => defineBench({ about: '', cases: [same, same] })).toThrow('different names')
})

it('a case apart is measured in a process of its own, which finds the contestant by its name', async () => {
  const here: Contestant = () => {
    throw new Error('measured here')
  }
  const bench = oneCase({ name: 'through memory', metrics: { handledPerSec: '1/s' }, apart: true, ours: here })
  const [row] = await runBench('queue', bench, { quick: true })
  expect(row).toMatchObject({ case: 'through memory', metric: 'handledPerSec', runs: 3 })
  expect(row!.ours).toBeGreaterThan(0)
}, 60_000)
