/** Rows in columns, each as wide as its widest cell; what has several lines, or is very long, is cut. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [...(head.length > 0 ? [head] : []), ...rows.map((row) => row.map(cell))]
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]!.length))) ?? []
  return lines
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const cellMax = 80

function cell(text: string): string {
  // Whoever published it must not be able to write to the terminal of whoever looks at it.
  const plain = text.replace(/\p{Cc}/gu, '·')
  return plain.length > cellMax ? `${plain.slice(0, cellMax - 1)}…` : plain
}

export const timeOf = (ms: number): string => new Date(ms).toISOString()
