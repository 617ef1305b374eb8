import { Buffer } from 'node:buffer'
import type { SyncMessage } from 'rabbitmq-client'
import { expect, it } from 'vitest'
import { deathOf, redeliveriesOf } from '../src/rabbitmq/envelope.ts'

const received = (redelivered: boolean, headers: Record<string, unknown> | undefined = undefined) =>
  ({ redelivered, headers, body: Buffer.from('{}') }) as unknown as SyncMessage

// What each version of the broker says of a message, as seen on 3.10.8, 4.0.5 and 4.3.6.
it.each([
  ['3.10 of a first delivery', received(false), 0],
  ['3.10 of a third one', received(true, { 'x-delivery-count': 2 }), 2],
  ['4.0 of a third one', received(true, { 'x-delivery-count': 2 }), 2],
  [
    '4.3 of one that was given back twice, which does not count as failed',
    received(true, { 'x-acquired-count': 2 }),
    2,
  ],
  [
    '4.3 of one that failed once and was given back twice',
    received(true, { 'x-delivery-count': 1, 'x-acquired-count': 3 }),
    3,
  ],
  ['a classic queue, which does not count', received(true), 1],
  ['a publisher that copies the headers of others', received(false, { 'x-delivery-count': 7 }), 0],
])('hazard 16: redeliveries are counted alike by what is said by %s', (_, message, redeliveries) => {
  expect(redeliveriesOf(message)).toBe(redeliveries)
})

it.each([
  ['3.10', { 'x-death': [{ reason: 'delivery_limit', time: 1_700_000_000, count: 1 }], 'x-delivery-count': 10_001 }],
  ['4.0', { 'x-death': [{ reason: 'delivery_limit', time: 1_700_000_000, count: 3 }], 'x-delivery-count': 10_001 }],
])('hazard 16: what a broker of version %s has given up itself says so', (_, headers) => {
  expect(deathOf(received(true, headers))).toMatchObject({
    reason: 'redelivered',
    error: 'dead-lettered by the broker: delivery_limit',
    attempts: 10_001,
    deadAtMs: 1_700_000_000_000,
  })
})
