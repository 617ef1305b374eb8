import { fc, test } from '@fast-check/vitest'
import type { AsyncMessage } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import { type Carrier, frameMessagesMax, messagesOf, toFrames } from '../src/rabbitmq/frames.ts'

const message = (id: string, overrides: Partial<Parameters<typeof toFrames>[0][number]> = {}) => ({
  id,
  key: 'k',
  partition: 3,
  payload: `"${id}"`,
  headers: {},
  publishedAtMs: 1_767_225_600_000,
  ...overrides,
})
const routeOf = (partition: number) => ({ routingKey: `q.p${partition}` })
const pack = (messages: Parameters<typeof toFrames>[0]) => toFrames(messages, routeOf)
const received = ({ sent: [envelope, body] }: Carrier, changed: Partial<AsyncMessage> = {}) =>
  ({ ...envelope, body, ...changed }) as AsyncMessage
const unpacked = (carriers: readonly Carrier[]) => carriers.flatMap((carrier) => messagesOf(received(carrier), 3))
const counts = (carriers: readonly Carrier[]) => carriers.map(({ count }) => count)

describe('a frame', () => {
  const wellFormed = fc.string({ unit: 'binary' })
  const anyMessage = fc.record({
    id: wellFormed,
    key: fc.option(wellFormed, { nil: undefined }),
    partition: fc.integer({ min: 0, max: 3 }),
    payload: wellFormed,
    headers: fc.dictionary(wellFormed, wellFormed, { noNullPrototype: true }),
    publishedAtMs: fc.nat(),
  })
  test.prop([fc.array(anyMessage, { maxLength: 20 })])(
    'gives its messages back as they were, in their order',
    (all) => {
      expect(unpacked(pack(all))).toEqual(all)
    },
  )

  it('is no frame for a message without company, which anybody can read', () => {
    const [alone, ...others] = pack([message('a', { payload: '{"n":1}' })])
    expect(others).toEqual([])
    expect(alone?.sent[0]).toMatchObject({
      messageId: 'a',
      routingKey: 'q.p3',
      contentType: 'application/vnd.headrace+json',
    })
    expect(alone?.sent[1].toString()).toBe('{"n":1}')
  })

  it('holds messages of one partition', () => {
    const partitions = [0, 0, 1, 1, 0]
    const carriers = pack(partitions.map((partition, at) => message(`${at}`, { partition })))
    expect(counts(carriers)).toEqual([2, 2, 1])
    expect(carriers.map(({ sent }) => sent[0].routingKey)).toEqual(['q.p0', 'q.p1', 'q.p0'])
  })

  it('holds five hundred messages at most', () => {
    const many = Array.from({ length: 1_001 }, (_, at) => message(`${at}`))
    expect(counts(pack(many))).toEqual([frameMessagesMax, frameMessagesMax, 1])
  })

  it('holds a hundred thousand bytes at most; what is larger goes alone', () => {
    const sized = (bytes: number) => message('x', { payload: 'x'.repeat(bytes) })
    expect(counts(pack([sized(60_000), sized(60_000), sized(10), sized(200_000), sized(10)]))).toEqual([1, 2, 1, 1])
    const headers = { trace: 'x'.repeat(60_000) }
    expect(counts(pack([message('a', { headers }), message('b', { headers })]))).toEqual([1, 1])
  })

  it('that is damaged is one message that nobody can read, so that it goes to the dead letters whole', () => {
    const [carrier] = pack([message('a'), message('b')]) as [Carrier]
    const body = carrier.sent[1]
    const damaged = [
      body.subarray(0, -1),
      Buffer.concat([body, Buffer.from('x')]),
      Buffer.from('{}\n'),
      Buffer.from('[]\n'),
      Buffer.from('[[-1,"a",null,0]]\n'),
      Buffer.from(''),
    ]
    for (const body of damaged) {
      const [only, ...others] = messagesOf(received(carrier, { body }), 3)
      expect(others).toEqual([])
      expect(only).toMatchObject({ partition: 3, payload: body.toString() })
    }
  })

  it('of a newer version is not for this process to give up', () => {
    const [carrier] = pack([message('a'), message('b')]) as [Carrier]
    const headers = { 'headrace-frame': '{"version":2,"count":2}' }
    expect(() => messagesOf(received(carrier, { headers }), 3)).toThrow('a frame of version 2')
  })
})
