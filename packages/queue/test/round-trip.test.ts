import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fc, test } from '@fast-check/vitest'
import { createQueue, type Queue, type QueueDriver } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { afterAll, beforeAll, describe, expect } from 'vitest'

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

  test.prop([sent], { numRuns: 200 })('every message arrives as it was sent', async ({ body, ...options }) => {
    const arrived = new Promise((resolve) => {
      received = resolve
    })
    await queue.publish(body, options)
    expect(await arrived).toEqual({ body, ...options })
  })
})
