import Table from 'cli-table3'
import type { Row } from './rows.ts'

/** The rows for a reader; `ours/peer` above 1 is better for a rate and worse for a time. */
export function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: ['case', 'metric', 'ours', 'peer', '', 'ours/peer', 'min … max', 'runs'],
    colAligns: ['left', 'left', 'right', 'left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) {
    const { ours, peer, peerName, ratio, ratioMin, ratioMax, runs } = row
    table.push([
      row.case,
      `${row.metric} (${row.unit})`,
      figure(ours),
      peerName ?? '',
      peer === null ? '' : figure(peer),
      ratio === null ? '' : figure(ratio),
      ratioMin === null || ratioMax === null ? '' : `${figure(ratioMin)} … ${figure(ratioMax)}`,
      runs,
    ])
  }
  return table.toString()
}

/** Three digits that count; more only before the decimal point. */
export function figure(value: number): string {
  const digits = Math.abs(value) >= 100 || value === 0 ? 0 : 2 - Math.floor(Math.log10(Math.abs(value)))
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Math.min(digits, 6),
    maximumFractionDigits: Math.min(digits, 6),
  })
}
