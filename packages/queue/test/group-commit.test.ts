import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { createGroupCommit } from '../src/sqlite/group-commit.ts'
import { outcome } from './set-up.ts'

function setUp({ unreadable = 0 } = {}) {
  const db = new DatabaseSync(':memory:')
  db.exec('CREATE TABLE numbers (n INTEGER UNIQUE)')
  const calls: string[] = []
  const commits = createGroupCommit(db, {
    committed: () => calls.push('committed'),
    restore: () => {
      calls.push('restore')
      if (unreadable-- > 0) throw new Error('disk')
    },
  })
  const insert = (n: number, applied?: () => void) =>
    commits.commit(() => db.prepare('INSERT INTO numbers VALUES (?)').run(n).changes, applied)
  const numbers = () =>
    db
      .prepare('SELECT n FROM numbers ORDER BY n')
      .all()
      .map((row) => row['n'])
  return { db, commits, insert, numbers, calls }
}

describe('a group commit', () => {
  it('commits all changes of a turn together, and says so before anybody is answered', async () => {
    const { insert, numbers, calls } = setUp()
    await Promise.all(
      [1, 2, 3].map((n) => insert(n, () => calls.push(`applied ${n}`)).then(() => calls.push('answered'))),
    )
    expect(numbers()).toEqual([1, 2, 3])
    expect(calls.slice(0, 4)).toEqual(['applied 1', 'applied 2', 'applied 3', 'committed'])
  })

  it('rolls all back when one fails, and restores the memory before anybody is told', async () => {
    const { commits, insert, numbers, calls } = setUp()
    await insert(1)
    const told = (error: unknown) => {
      calls.push('told')
      return error
    }
    const failed = await Promise.all([insert(2), insert(1), insert(3)].map((it) => outcome(it).then(told)))
    for (const error of failed) expect(error).toMatchObject({ certain: true, message: /UNIQUE/ })
    expect(numbers()).toEqual([1])
    expect(calls).toEqual(['committed', 'restore', 'told', 'told', 'told'])
    expect(commits.sure).toBe(true)
  })

  it('is not sure of the memory while it cannot restore it, and tries again before each transaction', async () => {
    const { commits, insert, numbers, calls } = setUp({ unreadable: 2 })
    await insert(1)
    await outcome(insert(1))
    expect(commits.sure).toBe(false)
    expect(await outcome(insert(2))).toMatchObject({ certain: true, message: /disk/ })
    expect(commits.sure).toBe(true)
    await insert(3)
    expect(numbers()).toEqual([1, 3])
    expect(calls).toEqual(['committed', 'restore', 'restore', 'restore', 'committed'])
  })

  it('is not certain of what happened when the commit itself fails', async () => {
    const { db, commits } = setUp()
    db.exec(`PRAGMA foreign_keys = ON; CREATE TABLE child (n REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED)`)
    const failing = commits.commit(() => db.exec('INSERT INTO child VALUES (7)'))
    expect(await outcome(failing)).toMatchObject({ certain: false })
    expect(db.prepare('SELECT count(*) AS n FROM child').get()!['n']).toBe(0)
  })

  it('commits what waits when it closes, and refuses what comes later', async () => {
    const { commits, insert, numbers } = setUp()
    const waiting = insert(1)
    commits.close()
    expect(numbers()).toEqual([1])
    expect(await waiting).toBe(1)
    expect(await outcome(insert(2))).toMatchObject({ certain: true, message: /closed/ })
  })
})
