import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import { BadInput } from './bad-input.ts'

/** One row, with readers that name file, line and column where a value is not what it should be. */
export interface Row {
  readonly line: number
  text(column: string): string
  /** @returns a whole number of at least `min`. */
  whole(column: string, min: number): number
}

/**
 * Reads a file with a header line, row by row.
 * @throws BadInput naming file, line and column for a file that cannot be read, a missing column or a malformed row.
 */
export async function* readCsv(path: string, columns: readonly string[]): AsyncGenerator<Row> {
  const parser = parse({ bom: true, info: true, skip_empty_lines: true, max_record_size: 65_536 })
  const source = createReadStream(path)
  // pipe() does not carry errors over.
  source.on('error', (error) => parser.destroy(error))
  source.pipe(parser)
  let header: Map<string, number> | undefined
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (header) yield rowOf(path, info.lines, header, record)
      else header = headerOf(path, columns, record)
    }
  } catch (error) {
    if (error instanceof BadInput) throw error
    const { code, message, lines } = error as Error & { code?: string; lines?: number }
    if (code === 'ENOENT') throw new BadInput(`${path}: there is no such file`)
    throw new BadInput(`${path}${lines ? `:${lines}` : ''}: ${message}`)
  } finally {
    source.destroy()
  }
  if (!header) throw new BadInput(`${path}:1: the file is empty; columns wanted: ${columns.join(', ')}`)
}

function headerOf(path: string, columns: readonly string[], record: readonly string[]): Map<string, number> {
  const header = new Map(record.map((name, index) => [name.trim(), index]))
  for (const column of columns) {
    if (!header.has(column)) throw new BadInput(`${path}:1: column "${column}" is missing`)
  }
  return header
}

function rowOf(path: string, line: number, header: ReadonlyMap<string, number>, record: readonly string[]): Row {
  const at = (column: string) => `${path}:${line}: column "${column}"`
  const value = (column: string) => record[header.get(column) ?? -1] ?? ''
  return {
    line,
    text(column) {
      const found = value(column)
      if (found === '') throw new BadInput(`${at(column)} is empty`)
      if (found.length > 128) throw new BadInput(`${at(column)} is ${found.length} characters long, over 128`)
      return found
    },
    whole(column, min) {
      const found = value(column)
      const number = Number(found)
      if (!/^-?\d+$/.test(found) || !Number.isSafeInteger(number) || number < min) {
        throw new BadInput(`${at(column)} must be a whole number from ${min}, received "${found.slice(0, 40)}"`)
      }
      return number
    },
  }
}
