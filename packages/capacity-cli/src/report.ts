import { mmc } from '@headrace/capacity-math'
import type { Plan, PlanInput } from '@headrace/capacity-math/plan'
import { ggc } from '@headrace/capacity-math/queues'
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { number, percent, time } from './format.ts'
import type { MeasuredPlan } from './measured-plan.ts'
import { run, withinOf } from './replay.ts'

/** A page that needs nothing else: the tail of the promised time, and what each number of servers does. */
export function reportPage(input: PlanInput, result: Plan, measured: MeasuredPlan | null): string {
  const of = input.slo.wait === undefined ? 'response' : 'wait'
  const within = withinOf(input)
  const { servers } = result
  const decided = measured?.decidedBy === 'replay' ? `, too small for these arrivals, which were replayed` : ''
  const costs = decided && measured ? triedPlot(input, measured) : costPlot(input, result, within)
  return `<!doctype html>
<meta charset="utf-8">
<title>Capacity plan: ${servers} servers</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }</style>
<h1>${servers} servers, ${result.queueBound} places to wait</h1>
<p>${number(input.lambda)} arrivals per second, ${time(input.meanService)} each; ${percent(input.slo.p)} of the ${of}s within ${time(within)}.
Model: ${result.expected.kind}${decided}.</p>
<h2>How many take longer than that</h2>
${tailPlot(result, { of, within, share: 1 - input.slo.p }, measured && ((t) => run(measured.trace.times, input, { servers, within: t }).tail))}
<h2>What each number of servers does</h2>
${costs}
`
}

interface Promised {
  readonly of: 'wait' | 'response'
  readonly within: number
  readonly share: number
}

/** The tail of the model, and dashed that of the arrivals themselves where there are such. */
function tailPlot(
  result: Plan,
  { of, within, share }: Promised,
  replayed: ((times: number[]) => readonly number[]) | null,
): string {
  const tail = result.expected[of]
  const far = Math.max(within * 1.2, tail.quantile(0.9999))
  const times = Array.from({ length: 201 }, (_, i) => (far * i) / 200)
  const seen = replayed?.(times) ?? []
  const line = (shares: readonly number[], options: Plot.LineOptions) =>
    Plot.line(
      times.map((t, i) => ({ t, share: shares[i]! })).filter((it) => it.share > 1e-6),
      { x: 't', y: 'share', ...options },
    )
  return svg({
    x: { label: `${of} longer than, s` },
    y: { type: 'log', label: 'share', domain: [1e-4, 1], clamp: true },
    marks: [
      line(times.map(tail.sf), {}),
      ...(seen.length > 0 ? [line(seen, { strokeDasharray: '6 3', stroke: 'steelblue' })] : []),
      Plot.ruleX([within], { stroke: 'crimson' }),
      Plot.ruleY([share], { stroke: 'crimson', strokeDasharray: '4' }),
    ],
  })
}

function costPlot(input: PlanInput, { servers }: Plan, within: number): string {
  const least = Math.max(1, Math.floor(input.lambda * input.meanService) + 1)
  const points: { servers: number; quantile: number }[] = []
  for (let count = least; count <= servers + Math.max(3, servers - least); count++) {
    const quantile = quantileWith(input, count)
    if (quantile !== null) points.push({ servers: count, quantile })
  }
  return svg({
    x: { label: 'servers', interval: 1, tickFormat: 'd' },
    y: { label: `p${input.slo.p * 100}, s`, domain: [0, within * 3], clamp: true },
    marks: [
      Plot.lineY(points, { x: 'servers', y: 'quantile' }),
      Plot.dot(points, {
        x: 'servers',
        y: 'quantile',
        fill: (it: { servers: number }) => (it.servers < servers ? 'crimson' : 'seagreen'),
      }),
      Plot.ruleY([within], { stroke: 'crimson', strokeDasharray: '4' }),
    ],
  })
}

/** The share of the trace that is late, for the numbers of servers that were tried. */
function triedPlot(input: PlanInput, { replay: { tried, servers } }: MeasuredPlan): string {
  const points = tried.filter((it) => it.late > 0)
  const enough = servers ?? Number.POSITIVE_INFINITY
  return svg({
    x: { type: 'log', label: 'servers', tickFormat: 'd' },
    y: { type: 'log', label: 'share late, replayed', domain: [1e-4, 1], clamp: true },
    marks: [
      Plot.lineY(points, { x: 'servers', y: 'late' }),
      Plot.dot(points, {
        x: 'servers',
        y: 'late',
        fill: (it: { servers: number }) => (it.servers < enough ? 'crimson' : 'seagreen'),
      }),
      Plot.ruleY([1 - input.slo.p], { stroke: 'crimson', strokeDasharray: '4' }),
    ],
  })
}

/** The promised time with so many servers and no bound of the queue. */
function quantileWith({ lambda, meanService, ca2 = 1, cs2 = 1, slo }: PlanInput, servers: number): number | null {
  const markov = ca2 === 1 && cs2 === 1
  const queue = markov ? mmc({ lambda, mu: 1 / meanService, servers }) : ggc({ lambda, meanService, servers, ca2, cs2 })
  return queue.stable ? queue[slo.wait === undefined ? 'response' : 'wait'].quantile(slo.p) : null
}

function svg(options: Plot.PlotOptions): string {
  const { document } = parseHTML('<html><body></body></html>')
  const figure = Plot.plot({
    document: document as unknown as NonNullable<Plot.PlotOptions['document']>,
    width: 720,
    height: 320,
    ...options,
  })
  figure.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return figure.outerHTML
}
