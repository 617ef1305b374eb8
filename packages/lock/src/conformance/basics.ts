import assert from 'node:assert/strict'
import { openGuest } from './session.ts'
import { expiryRule, inTime, type LockRule, lockRule } from './subject.ts'

export const basicRules: readonly LockRule[] = [
  lockRule('grants a free key', async ({ a }) => {
    await a.hold('k', '1')
  }),
  lockRule('refuses a held key, to anyone, through any session', async ({ a, b }) => {
    await a.hold('k', '1')
    assert.equal((await b.acquire('k', '1')).state, 'gone')
    assert.equal((await a.acquire('k', '2')).state, 'gone')
  }),
  lockRule('keeps keys apart, whatever characters they have', async ({ a }) => {
    const keys = ['k', 'K', 'k ', 'k:q', '{k}', '}k', '{}', '%7D', '}', 'k%', 'ключ', '🔑', 'k/../k', 'k'.repeat(512)]
    for (const [n, key] of keys.entries()) await a.hold(key, `${n}`)
    for (const [n, key] of keys.entries()) assert.equal(await a.release(key, `${n}`), true, key)
  }),
  lockRule('release frees the key, once', async ({ a, b }) => {
    await a.hold('k', '1')
    assert.equal(await a.release('k', '1'), true)
    assert.equal(await a.release('k', '1'), false)
    await b.hold('k', '1')
  }),
  lockRule('a stranger can neither renew nor release', async ({ a, b }) => {
    await a.hold('k', '1')
    assert.equal((await b.renew('k', '1')).state, 'gone')
    assert.equal(await b.release('k', '1'), false)
    assert.equal(await a.release('k', '2'), false)
    assert.equal(await a.release('k', '1'), true)
  }),
  lockRule('forgets an id that it does not know, without a word', async ({ a }) => {
    assert.equal(await a.release('k', 'never'), false)
    assert.equal((await a.renew('k', 'never')).state, 'gone')
    await a.hold('k', '1')
  }),
  expiryRule('the ttl ends', async ({ a, b, ttlMs, elapse }) => {
    await a.hold('k', '1')
    await elapse(ttlMs * 1.3)
    await b.outlast('k')
  }),
  expiryRule('an expired owner cannot release the next holder', async ({ a, b, ttlMs, longMs, elapse }) => {
    await a.hold('k', '1')
    await elapse(ttlMs * 1.3)
    await b.outlast('k', { ttlMs: longMs })
    assert.equal(await a.release('k', '1'), false)
    assert.equal((await a.acquire('k', '2')).state, 'gone')
  }),
  expiryRule('an expired owner cannot renew', async ({ a, b, ttlMs, elapse }) => {
    await a.hold('k', '1')
    await elapse(ttlMs * 1.3)
    const { name } = await b.outlast('k')
    await b.release('k', name)
    assert.equal((await a.renew('k', '1')).state, 'gone')
  }),
  expiryRule('renew restarts the ttl', async (the) => {
    const { a, b, elapse } = the
    await inTime(the, async (key, ttlMs, span) => {
      const acquired = span()
      await a.hold(key, `1${key}`, { ttlMs })
      await elapse(ttlMs * 0.6)
      const renewed = span()
      assert.equal((await a.renew(key, `1${key}`, ttlMs)).state, 'held')
      acquired()
      await elapse(ttlMs * 0.6)
      assert.equal((await b.acquire(key, `1${key}`)).state, 'gone')
      renewed()
    })
  }),
  lockRule('a race has one winner', async ({ a, b }) => {
    const grants = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? a : b).acquire('k', `${n}`)))
    assert.equal(grants.filter(({ state }) => state === 'held').length, 1)
  }),
  lockRule('the same request twice is one request', async ({ a, b }) => {
    const first = await a.hold('k', '1')
    assert.equal((await a.hold('k', '1')).token, first.token)
    assert.equal(await a.release('k', '1'), true)
    await b.hold('k', '1')
  }),
  lockRule(
    'answers the requests of one call in their order, each for itself',
    async ({ a, b, longMs }) => {
      await b.hold('k0', '1')
      const keys = ['k0', 'k1', 'k2']
      const request = { ttlMs: longMs, waitMs: 0, tokens: 1 }
      const answers = await a.session.acquire(keys.map((key) => ({ key, id: a.id(key), ...request })))
      assert.deepEqual(
        answers.map(({ state }) => state),
        ['gone', 'held', 'held'],
      )
      assert.deepEqual(await a.session.release(keys.map((key) => ({ key, id: a.id(key) }))), [false, true, true])
      assert.equal(await b.release('k0', '1'), true)
    },
    ({ batchMax }) => batchMax >= 3,
  ),
  expiryRule(
    'tokens only grow, across release, expiry and sessions',
    async ({ a, b, ttlMs, elapse }) => {
      let last = 0n
      for (let n = 0; n < 4; n++) {
        const guest = n % 2 ? a : b
        const { name, held } = await guest.outlast('k')
        assert.ok(held.token > last, `${held.token} came after ${last}`)
        last = held.token
        if (n % 2) await guest.release('k', name)
        else await elapse(ttlMs * 1.3)
      }
    },
    ({ fencing }) => fencing,
  ),
  lockRule(
    'reserved tokens are above all earlier and below all later ones',
    async ({ a, b }) => {
      const first = await a.hold('k', '1', { tokens: 5 })
      assert.ok((first.tokens ?? 1) <= 5)
      await a.release('k', '1')
      const second = await b.hold('k', '1', { tokens: 5 })
      assert.ok(second.token >= first.token + BigInt(first.tokens ?? 1), `${second.token} overlaps ${first.token}`)
    },
    ({ fencing }) => fencing,
  ),
  lockRule('a session that closes leaves the others alone', async ({ a, b, driver, clock, longMs }) => {
    await a.hold('k', '1')
    const other = openGuest(driver, { clock, ttlMs: longMs })
    await other.hold('other', '1')
    await other.release('other', '1')
    await other.session.close()
    assert.equal((await b.acquire('k', '1')).state, 'gone')
    assert.equal(await a.release('k', '1'), true)
  }),
  lockRule(
    'inspect shows who holds and who waits, and null when nobody does',
    async ({ a, b }) => {
      assert.equal(await b.session.inspect('k'), null)
      const { token } = await a.hold('k', '1', { label: 'ada' })
      const found = await b.session.inspect('k')
      assert.equal(found?.holders.length, 1)
      const [holder] = found.holders
      assert.deepEqual([holder?.id, holder?.label], [a.id('1'), 'ada'])
      if (holder?.token !== undefined) assert.equal(holder.token, token)
      assert.ok(holder!.leftMs > 0)
      assert.deepEqual(found.queue, [])
      await a.release('k', '1')
      assert.equal(await b.session.inspect('k'), null)
    },
    ({ inspect }) => inspect,
  ),
  lockRule(
    'asking tells the holder and takes nothing',
    async ({ a, b }) => {
      await a.hold('k', '1')
      assert.equal(await b.session.evict('k', 'ask'), 1)
      await a.eventually(() => a.asked.has(a.id('1')), 'the holder was not asked')
      assert.equal(await a.release('k', '1'), true)
      assert.equal(await b.session.evict('k', 'ask'), 0)
    },
    ({ evict }) => evict,
  ),
  lockRule(
    'force takes the key and tells the holder',
    async ({ a, b }) => {
      await a.hold('k', '1')
      assert.equal(await b.session.evict('k', 'force'), 1)
      await a.eventually(() => a.lost.has(a.id('1')), 'the holder was not told')
      assert.equal((await a.renew('k', '1')).state, 'gone')
      await b.hold('k', '1')
      assert.equal(await a.release('k', '1'), false)
    },
    ({ evict }) => evict,
  ),
]
