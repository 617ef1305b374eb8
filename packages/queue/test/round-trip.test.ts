import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fc, test } from '@fast-check/vitest'
import { createQueue, type PublishOptions, type Queue, type QueueDriver } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const text = (minLength: number, maxLength: number) =>
  fc.string({ unit: 'binary', minLength, maxLength }).filter((it) => Buffer.byteLength(it) <= 512)
const sent = fc.record({
  // -0 is 0 in JSON.
  body: fc.jsonValue({ noUnicodeString: false }).map((it) => JSON.parse(JSON.stringify(it)) as unknown),
  key: fc.option(text(1, 100), { nil: undefined }),
  id: text(1, 100),
  headers: fc.dictionary(text(1, 50), fc.string({ unit: 'binary' }), { noNullPrototype: true }),
})

describe.each(['memory', 'sqlite'])('through %s', (kind) => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-round-trip-'))
  let driver: QueueDriver
  let queue: Queue<unknown>
  let received: (message: unknown) => void
  beforeAll(() => {
    driver = kind === 'memory' ? memoryQueue() : sqliteQueue(join(folder, 'queue.db'))
    queue = createQueue<unknown>(driver, 'any')
    queue.consume(({ id, key, body, headers }) => received({ id, key, body, headers }))
  })
  afterAll(async () => {
    await queue.close()
    await driver.close()
    rmSync(folder, { recursive: true })
  })

  test.prop([sent], { numRuns: 200 })(
    'hazard 22: every message arrives as it was sent',
    async ({ body, ...options }) => {
      const arrived = new Promise((resolve) => {
        received = resolve
      })
      await queue.publish(body, options)
      expect(await arrived).toEqual({ body, ...options })
    },
  )

  const long = `${'é'.repeat(255)}xy`
  it.each<[string, sent: unknown, arrives: unknown, options?: PublishOptions]>([
    ['half of a pair', '\ud800', '\ud800'],
    ['names of 512 bytes', 'x', 'x', { key: long, id: `i${long.slice(1)}`, headers: { [long]: long } }],
    ['what objects inherit from', { a: 1 }, { a: 1 }, { key: '__proto__', headers: JSON.parse('{"__proto__":"x"}') }],
    ['minus zero', -0, 0],
    ['no number', Number.NaN, null],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['bytes', Buffer.from([1]), { type: 'Buffer', data: [1] }],
  ])('hazard 22: %s arrives as JSON has it', async (_, body, arrives, options = {}) => {
    const arrived = new Promise((resolve) => {
      received = resolve
    })
    await queue.publish(body, options)
    const { headers = {}, ...rest } = options
    const message = (await arrived) as { readonly headers: object }
    expect(message).toMatchObject({ body: arrives, ...rest })
    expect(Object.entries(message.headers)).toEqual(Object.entries(headers))
  })

  it('hazard 22: what JSON cannot say is refused before it is sent', async () => {
    await expect(queue.publish(1n)).rejects.toThrow('BigInt')
    await expect(queue.publish('x', { headers: { at: new Date() as never } })).rejects.toThrow('header "at" must be')
    await expect(queue.publish('x', { headers: { '\ud800': '' } })).rejects.toThrow('a header name must be well-formed')
    await expect(queue.publish('x', { key: '\ud800' })).rejects.toThrow('key must be well-formed Unicode')
    await expect(queue.publish('x', { key: `${long}x` })).rejects.toThrow('key must be at most 512 bytes')
  })
})
