import { mmc } from '@headrace/capacity-math'
import type { Plan, PlanInput } from '@headrace/capacity-math/plan'
import { ggc } from '@headrace/capacity-math/queues'
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { number, time } from './format.ts'

/** A page that needs nothing else: the tail of the promised time, and what each number of servers does. */
export function reportPage(input: PlanInput, result: Plan): string {
  const of = input.slo.wait === undefined ? 'response' : 'wait'
  const within = input.slo.wait ?? input.slo.response ?? 0
  const { servers } = result
  return `<!doctype html>
<meta charset="utf-8">
<title>Capacity plan: ${servers} servers</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }</style>
<h1>${servers} servers, ${result.queueBound} places to wait</h1>
<p>${number(input.lambda)} arrivals per second, ${time(input.meanService)} each; ${input.slo.p * 100} % of the ${of}s within ${time(within)}.
Model: ${result.expected.kind}.</p>
<h2>How many take longer than that</h2>
${tailPlot(result, of, within, 1 - input.slo.p)}
<h2>What each number of servers does</h2>
${costPlot(input, result, within)}
`
}

function tailPlot(result: Plan, of: 'wait' | 'response', within: number, share: number): string {
  const tail = result.expected[of]
  const far = Math.max(within * 1.2, tail.quantile(0.9999))
  const points = Array.from({ length: 201 }, (_, i) => ({ t: (far * i) / 200, share: tail.sf((far * i) / 200) }))
  return svg({
    x: { label: `${of} longer than, s` },
    y: { type: 'log', label: 'share', domain: [1e-4, 1], clamp: true },
    marks: [
      Plot.line(
        points.filter((it) => it.share > 1e-6),
        { x: 't', y: 'share' },
      ),
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
