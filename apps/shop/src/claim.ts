import { DatabaseSync } from 'node:sqlite'
import { BadInput } from './bad-input.ts'

/**
 * Notes in the file which work it belongs to. The same work again is what the file is for; other work on top of it could
 * not be audited, since what there was in the beginning is part of the work.
 * @throws BadInput for a file that belongs to other work, or cannot be opened as a database.
 */
export function claim(path: string, work: string): void {
  try {
    using db = new DatabaseSync(path, { timeout: 5_000 })
    db.exec('CREATE TABLE IF NOT EXISTS demo (work TEXT NOT NULL)')
    const found = db.prepare('SELECT work FROM demo').get() as { work: string } | undefined
    if (!found) db.prepare('INSERT INTO demo VALUES (?)').run(work)
    else if (found.work !== work) throw new BadInput(`${path} belongs to other work: ${found.work}`)
  } catch (error) {
    if (error instanceof BadInput) throw error
    throw new BadInput(`${path} cannot be used as a database: ${(error as Error).message}`)
  }
}
