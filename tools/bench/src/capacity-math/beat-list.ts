import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { erlangA, erlangC, poissonQuantile } from '@headrace/capacity-math'
import { usl } from '@headrace/capacity-math/scalability'
import type { Row } from '../rows.ts'
import { errors, type PoissonFunction, peerFunctions, poissonFunctions } from './accuracy.ts'

// Rewrites the section of the README between the two comments: `node --conditions=@headrace/source tools/bench/src/capacity-math/beat-list.ts`.
const readme = new URL('../../../../packages/capacity-math/README.md', import.meta.url)
const results = new URL('../../../../bench/results/', import.meta.url)
const [begin, end] = ['<!-- beat list: begin -->', '<!-- beat list: end -->']

/** The README with the section made anew: errors and wrong values computed here and now, times from the last bench that was kept. */
export function withBeatList(text: string): string {
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`README.md must have ${begin} and ${end}`)
  return `${before}${begin}\n\n${[accuracyTable(), wrongTable(), timesTable()].filter(Boolean).join('\n\n')}\n\n${end}${after}`
}

function accuracyTable(): string {
  const who = ['ours', ...Object.keys(peerFunctions)]
  const cell = (fn: PoissonFunction, name: string) => {
    const { maxRelativeError = 1, wrongShare = 1, cases = 0 } = errors(fn, name)
    if (cases === 0) return 'has none'
    const worst =
      maxRelativeError === 0 ? 'exact' : maxRelativeError >= 1 ? 'NaN or worse' : maxRelativeError.toExponential(0)
    return wrongShare === 0 ? worst : `${worst}; ${Math.round(wrongShare * 100)} % wrong`
  }
  return markdown(
    ['worst relative error, and share of values wrong from the tenth digit on', ...who],
    poissonFunctions.map((fn) => [`\`${fn}\``, ...who.map((name) => cell(fn, name))]),
  )
}

/** Single values that are wrong elsewhere. Those of other languages are their published formulas, evaluated here. */
function wrongTable(): string {
  const { quantile } = peerFunctions['@stdlib']!
  const r = peerFunctions['lib-r-math.js']!
  const cisco = { lambda: 995.6486, sigma: 0.02671591, kappa: 0.0007690945 }
  const x = 12_201
  // usl4j 0.7 and codahale/usl, concurrencyAtThroughput with κ left out: x (σ - 1) / (σ x - λ).
  const withoutKappa = (x * (cisco.sigma - 1)) / (cisco.sigma * x - cisco.lambda)
  // OdeToErlang: Erlang C / (1 + τ (c - a)) in the place of Erlang A.
  const impatient = { lambda: 100, mu: 1, theta: 1, servers: 101 }
  const instead = erlangC({ servers: 101, load: 100 }) / (1 + (101 - 100))
  let [term, sum] = [1, 1]
  for (let k = 1; k <= 800; k++) {
    term *= 720 / k
    sum += term
  }
  return markdown(
    ['value', 'elsewhere', 'is', 'ours'],
    [
      [
        'Poisson quantile of 0.9 at a mean of 1234.5',
        '@stdlib',
        String(quantile!(0.9, 1234.5)),
        String(poissonQuantile(0.9, 1234.5)),
      ],
      [
        'Poisson quantile of 0.9 at a mean of 1e9',
        'lib-r-math.js',
        String(r.quantile!(0.9, 1e9)),
        String(poissonQuantile(0.9, 1e9)),
      ],
      [
        'workers for 12,201/s (USL, the Cisco data)',
        'usl4j 0.7',
        withoutKappa.toFixed(2),
        usl(cisco).concurrencyAtThroughput(x).toFixed(2),
      ],
      [
        'share that gives up, 100 erlangs at 101 servers',
        'OdeToErlang',
        instead.toFixed(4),
        erlangA(impatient).pAbandon.toFixed(4),
      ],
      [
        'share that waits, 720 erlangs at 800 servers',
        'the sum a^k / k!',
        String(term / sum),
        erlangC({ servers: 800, load: 720 }).toPrecision(5),
      ],
    ],
  )
}

function timesTable(): string {
  const file = readdirSync(results)
    .filter((name) => /^capacity-math-.*\d\.json$/.test(name))
    .sort()
    .at(-1)
  if (file === undefined) return ''
  const { rows, machine, command } = JSON.parse(readFileSync(new URL(file, results), 'utf8')) as {
    rows: Row[]
    machine: { cpu: string; cores: number; memoryGb: number; os: string }
    command: string
  }
  const timed = rows.filter((row) => row.metric === 'nsPerCall')
  const peers = [...new Set(timed.flatMap((row) => row.peerName ?? []))]
  const body = [...new Set(timed.map((row) => row.case))].map((name) => {
    const of = timed.filter((row) => row.case === name)
    const peer = (who: string) => of.find((row) => row.peerName === who)
    return [name, nanoseconds(of[0]!.ours), ...peers.map((who) => withSpread(peer(who)))]
  })
  const { cpu, cores, memoryGb, os } = machine
  const how = `Medians of ${timed[0]?.runs} rounds of \`${command}\`; in brackets the least and the most of ours over the other in one round.`
  return `${markdown(['time of one call', 'ours', ...peers], body)}\n\n${how}\n${cpu}, ${cores} cores that others used too, ${memoryGb} GB, ${os}; kept in \`bench/results/${file}\`.`
}

function withSpread(row: Row | undefined): string {
  if (row === undefined || row.peer === null) return ''
  const ratio = (value: number | null) => (value === null ? '' : String(Number(value.toPrecision(2))))
  return `${nanoseconds(row.peer)} (${ratio(row.ratioMin)} to ${ratio(row.ratioMax)})`
}

function nanoseconds(value: number): string {
  if (value < 1e3) return `${Number(value.toPrecision(2))} ns`
  return value < 1e6 ? `${Number((value / 1e3).toPrecision(2))} µs` : `${Number((value / 1e6).toPrecision(2))} ms`
}

/** A table as the formatter writes it: columns padded to the same width. */
function markdown(head: readonly string[], body: readonly (readonly string[])[]): string {
  const rows = [head, ...body]
  const width = head.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)))
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(width[i]!)).join(' | ')} |`
  return [line(head), `| ${width.map((n) => '-'.repeat(n)).join(' | ')} |`, ...body.map(line)].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(readme, withBeatList(readFileSync(readme, 'utf8')))
}
