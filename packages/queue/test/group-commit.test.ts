import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { CommitError, createGroupCommit } from '../src/sqlite/group-commit.ts'
import { outcome } from './set-up.ts'

function setUp() {
  const db = new DatabaseSync(':memory:')
  db.exec('CREATE TABLE numbers (n INTEGER UNIQUE)')
  const calls: string[] = []
  const commits = createGroupCommit(db, {
    committed: () => calls.push('committed'),
    restore: () => {
      calls.push('restore')
      if (calls.filter((call) => call === 'restore').length === 2) throw new Error('disk')
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

  it('rolls all back when one fails, and restores the memory before the next, until that works', async () => {
    const { insert, numbers, calls } = setUp()
    await insert(1)
    const failed = await Promise.all([insert(2), insert(1), insert(3)].map(outcome))
    for (const error of failed) expect(error).toMatchObject({ certain: true, message: /UNIQUE/ })
    expect(numbers()).toEqual([1])
    await insert(4)
    await outcome(insert(4))
    expect(await outcome(insert(5))).toBeInstanceOf(CommitError)
    await insert(6)
    expect(numbers()).toEqual([1, 4, 6])
    expect(calls.filter((call) => call === 'restore')).toHaveLength(3)
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
