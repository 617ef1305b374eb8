import Table from 'cli-table3'

/** Prints an answer: the text, and 1 where it says that something cannot be done. */
export type Answer = (text: string, exitCode?: number) => void

/** Names and values in two columns. */
export function facts(rows: readonly (readonly [string, string])[]): string {
  return tableOf([], rows)
}

export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } })
  for (const row of rows) table.push([...row])
  return table.toString()
}

/** A number with five digits at most. */
export function number(value: number): string {
  return Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4)
    ? value.toExponential(3)
    : String(Number(value.toPrecision(5)))
}

/** A time in the unit in which it reads best. */
export function time(seconds: number): string {
  if (seconds === 0) return '0 s'
  if (seconds < 1e-3) return `${number(seconds * 1e6)} µs`
  if (seconds < 1) return `${number(seconds * 1e3)} ms`
  return seconds < 7200 ? `${number(seconds)} s` : `${number(seconds / 3600)} h`
}

export function percent(share: number): string {
  return `${number(share * 100)} %`
}

/** A parser of an option that is a number. */
export function numeric(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || Number.isNaN(value)) throw new RangeError(`--${name} must be a number, received ${text}`)
    return value
  }
}

/** A parser of an option that is several numbers with commas between them. */
export function numericList(name: string, count: number): (text: string) => number[] {
  return (text) => {
    const values = text.split(',').map(numeric(name))
    if (values.length !== count) throw new RangeError(`--${name} must be ${count} numbers, received ${text}`)
    return values
  }
}
