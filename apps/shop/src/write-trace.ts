import { basename } from 'node:path'
import { type Count, type Counter, count, type Increment } from './counter.ts'
import { readCsv } from './csv.ts'
import type { Request, Workload } from './workload.ts'

/** The writes of a trace, in its order, each under an id made of the file's name and the line. */
export async function writesFrom(path: string): Promise<Workload<Counter, Increment, Count>> {
  const requests: Request<Increment>[] = []
  const file = basename(path)
  for await (const row of readCsv(path, ['atSec', 'key', 'bytes'])) {
    requests.push({ id: `${file}:${row.line}`, key: row.text('key'), command: { bytes: row.whole('bytes', 0) } })
  }
  return { initial: () => ({ writes: 0, bytes: 0 }), decide: count, requests }
}
