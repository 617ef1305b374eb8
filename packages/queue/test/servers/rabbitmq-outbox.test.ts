import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { createQueue } from '@headrace/queue'
import { createInbox } from '@headrace/queue/inbox'
import { createOutbox, createOutboxRelay } from '@headrace/queue/outbox'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { sqliteSql } from '@headrace/queue/sql'
import { serverUrl } from '@headrace/stack'
import { Connection } from 'rabbitmq-client'
import { expect, it } from 'vitest'

const connect = () => new Connection({ url: serverUrl('rabbitmq'), noDelay: true, frameMax: 131_072, retryLow: 50 })

it('hazards 10 and 33: what an outbox hands to RabbitMQ has its effect once and in order, though consumers and relays lose their connections', async () => {
  const name = `outbox-${randomUUID()}`
  using db = new DatabaseSync(':memory:')
  const sql = sqliteSql(db)
  const outbox = createOutbox({ name })
  const inbox = createInbox({ consumer: 'test' })
  for (const statement of [...outbox.schema('sqlite'), ...inbox.schema('sqlite')]) db.exec(statement)
  const keys = Array.from({ length: 10 }, (_, at) => `k${at}`)
  const count = 600
  for (let number = 0; number < count; number++) outbox.append(sql, { body: number, key: keys[number % keys.length]! })

  const effects: { key: string; number: number }[] = []
  const open = () => {
    const connection = connect()
    return { connection, queue: createQueue<number>(rabbitmqQueue(connection), name, { partitions: 2 }) }
  }
  /** A process that consumes, until it is cut off after some messages. */
  const consume = async (handledMax: number) => {
    const { connection, queue } = open()
    let handled = 0
    await new Promise<void>((resolve) => {
      queue.consume(async (message) => {
        if (handled >= handledMax) return await new Promise(() => {})
        if (inbox.claim(sql, message).fresh) effects.push({ key: message.key!, number: message.body })
        // Some are settled when the connection ends, and some are not.
        if (++handled === handledMax || effects.length === count) resolve()
      })
    })
    connection.unsafeDestroy()
    await queue.close({ signal: AbortSignal.abort() })
  }
  /** A process that publishes, until it is cut off. */
  const publish = async (messagesMax: number) => {
    const { connection, queue } = open()
    let messages = 0
    let cutOff!: () => void
    const ended = new Promise<void>((resolve) => {
      cutOff = resolve
    })
    const relay = createOutboxRelay({
      outbox,
      sql,
      callMs: 5_000,
      queue: {
        async publish(body, options) {
          await queue.publish(body as number, options)
          // Confirmed, and what is out with it may be; none of it is noted.
          if (++messages === messagesMax) cutOff()
        },
      },
    })
    await Promise.race([ended, relay.drained()])
    connection.unsafeDestroy()
    await relay.close()
    await queue.close()
  }
  await Promise.all([
    (async () => {
      for (const messagesMax of [50, 120, count * 2]) await publish(messagesMax)
    })(),
    (async () => {
      for (const handledMax of [40, 100, 200, count * 10]) await consume(handledMax)
    })(),
  ])
  for (const [at, key] of keys.entries()) {
    const numbers = effects.filter((effect) => effect.key === key).map(({ number }) => number)
    expect(numbers).toEqual(Array.from({ length: count / keys.length }, (_, turn) => turn * keys.length + at))
  }
})
