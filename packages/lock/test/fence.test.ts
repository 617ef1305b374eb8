import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { consulFence, httpFence, memoryFence, sqlFence } from '@headrace/lock/fence'
import { describe, expect, it } from 'vitest'

const stale = expect.objectContaining({ code: 'STALE' })

describe('in memory', () => {
  it('lets a holder write twice, and refuses it once a newer token is known', () => {
    const fence = memoryFence()
    fence.seal(7n)
    fence.seal(7n)
    fence.seal(9n)
    expect(() => fence.seal(8n)).toThrow(stale)
    expect(fence.newest).toBe(9n)
  })

  it('seal before read: who wakes between the read and the first write of another is refused', () => {
    const account = { fence: memoryFence(), value: 100 }
    const paused = { token: 1n, read: 0 }
    account.fence.seal(paused.token)
    paused.read = account.value
    // The next holder seals, reads, and has not written yet.
    account.fence.seal(2n)
    const read = account.value
    expect(() => account.fence.seal(paused.token)).toThrow(stale)
    account.fence.seal(2n)
    account.value = read - 30
    expect(account.value).toBe(70)
  })

  it('a token that is none is refused', () => {
    expect(() => memoryFence().seal(0n)).toThrow(/token must be above 0n/)
    expect(() => memoryFence().seal(5 as never)).toThrow(/token must be a bigint/)
  })
})

describe('sql', () => {
  it('returns a row for a token that is let in, and none for a stale one', () => {
    const database = new DatabaseSync(':memory:')
    const fence = sqlFence({ table: 'fences', placeholders: 'question-marks' })
    database.exec(fence.create)
    database.exec(fence.create)
    const seal = (key: string, token: bigint) => {
      const { text, values } = fence.seal(key, token)
      const statement = database.prepare(text)
      statement.setReadBigInts(true)
      return statement.all(...values).length
    }
    expect([seal('a', 5n), seal('a', 5n), seal('a', 9n), seal('a', 8n), seal('b', 1n)]).toEqual([1, 1, 1, 0, 1])
    expect(seal('a', 2n ** 62n)).toBe(1)
    expect(seal('a', 2n ** 62n - 1n)).toBe(0)
    database.close()
  })

  it('refuses a table name that is more than a name', () => {
    expect(() => sqlFence({ table: 'a; drop table b' })).toThrow(/table/)
    expect(() => sqlFence({ placeholders: 'colons' as never })).toThrow(/placeholders/)
    expect(sqlFence({ table: 'app.fence' }).seal('k', 1n).text).toContain('app.fence')
    expect(() => sqlFence().seal('', 1n)).toThrow(/key/)
  })
})

describe('consul', () => {
  it('is a check-and-set on what was read', () => {
    expect(consulFence('f', 12n, null)).toEqual({ KV: { Verb: 'cas', Key: 'f', Value: 'MTI=', Index: 0 } })
    expect(consulFence('f', 12n, { value: '12', modifyIndex: 77 }).KV.Index).toBe(77)
    expect(() => consulFence('f', 12n, { value: '13', modifyIndex: 77 })).toThrow(stale)
  })
})

describe('http', () => {
  it('lets the write of the newer token win, whatever the order of arrival', async () => {
    let stored: { etag: string; body: string } | null = null
    let version = 0
    const server = createServer((request, response) => {
      if (request.method === 'GET') {
        response.writeHead(stored ? 200 : 404, stored ? { etag: stored.etag } : {}).end(stored?.body)
        return
      }
      const { 'if-match': match, 'if-none-match': none } = request.headers
      const passes = none === '*' ? stored === null : match === stored?.etag
      let body = ''
      request.on('data', (part) => {
        body += part
      })
      request.on('end', () => {
        if (passes) stored = { etag: `"${++version}"`, body }
        response.writeHead(passes ? 204 : 412).end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/`
    const read = async () => {
      const answer = await fetch(url)
      if (answer.status === 404) return null
      return { token: BigInt(JSON.parse(await answer.text()).token), etag: answer.headers.get('etag')! }
    }
    const write = async (token: bigint, value: number, found: Awaited<ReturnType<typeof read>>) => {
      const body = JSON.stringify({ token: String(token), value })
      return (await fetch(url, { method: 'PUT', headers: httpFence(token, found), body })).status
    }
    expect(await write(1n, 100, await read())).toBe(204)
    const late = await read()
    expect(await write(2n, 100, await read())).toBe(204)
    expect(await write(1n, 70, late)).toBe(412)
    expect(() => httpFence(1n, { token: 2n, etag: '"2"' })).toThrow(stale)
    expect(() => httpFence(3n, { token: 2n, etag: 'W/"2"' })).toThrow(/etag/)
    expect(await write(2n, 60, await read())).toBe(204)
    server.close()
    server.closeAllConnections()
  })
})
