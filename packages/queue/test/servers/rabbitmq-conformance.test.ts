import { setTimeout as sleep } from 'node:timers/promises'
import { queueConformance } from '@headrace/queue/conformance'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { serverUrl } from '@headrace/stack'
import { Connection } from 'rabbitmq-client'
import { describe, it } from 'vitest'

const connect = () =>
  new Connection({ url: serverUrl('rabbitmq'), frameMax: 131_072, noDelay: true, heartbeat: 5, retryLow: 100 })

describe.each([true, false])('RabbitMQ with frames: %s', (frames) => {
  const connection = connect()
  connection.unsafeDestroy()
  queueConformance({
    test: it,
    supports: rabbitmqQueue(connection, { frames }).supports,
    create() {
      const connections = [connect(), connect(), connect()]
      const [publishing, consuming, other] = connections as [Connection, Connection, Connection]
      const driver = rabbitmqQueue(publishing, { consuming, frames })
      const peer = rabbitmqQueue(other, { frames })
      return {
        subject: {
          driver,
          peer,
          elapse: (ms) => sleep(ms),
          async crash() {
            publishing.unsafeDestroy()
            consuming.unsafeDestroy()
            return peer
          },
        },
        async close() {
          await Promise.all([driver.close(), peer.close()])
          for (const each of connections) each.unsafeDestroy()
        },
      }
    },
  })
})
