import { readFileSync } from 'node:fs'
import { fitUsl, usl } from '@headrace/capacity-math/scalability'
import { Command } from 'commander'
import { parse } from 'csv-parse/sync'
import { type Answer, facts, number, percent, tableOf } from '../format.ts'

/** `fit`: the Universal Scalability Law through measured throughputs. */
export function fitCommand(answer: Answer): Command {
  return new Command('fit')
    .description('Fits the Universal Scalability Law to a CSV file with the columns concurrency and throughput.')
    .argument('<file>')
    .option('--json', 'print JSON')
    .action((file: string, options: { json?: boolean }) => {
      const rows = parse(readFileSync(file), { columns: true, skip_empty_lines: true, trim: true }) as Record<
        string,
        string
      >[]
      const points = rows.map((row) => ({
        concurrency: Number(row['concurrency']),
        throughput: Number(row['throughput']),
      }))
      const fit = fitUsl(points)
      const law = usl(fit)
      if (options.json) {
        answer(JSON.stringify({ ...fit, peak: law.peak }))
        return
      }
      const summary = facts([
        ['one worker alone', `${number(fit.lambda)} /s`],
        ['σ, contention', number(fit.sigma)],
        ['κ, coherency', number(fit.kappa)],
        ['best number of workers', law.peak ? number(law.peak.concurrency) : 'no peak'],
        ['most there is', law.peak ? `${number(law.peak.throughput)} /s` : 'no peak'],
        ['variance explained', percent(fit.rSquared)],
      ])
      const body = points.map(({ concurrency, throughput }, i) => [
        number(concurrency),
        number(throughput),
        number(law.throughput(concurrency)),
        number(fit.residuals[i]!),
      ])
      answer(`${summary}\n${tableOf(['workers', 'measured /s', 'fitted /s', 'residual'], body)}`)
    })
}
