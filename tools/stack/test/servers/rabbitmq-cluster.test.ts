import { startRabbitmqCluster } from '@headrace/stack'
import { Connection } from 'rabbitmq-client'
import { expect, onTestFinished, test } from 'vitest'

const limitMs = 240_000

function connect(url: string): Connection {
  const connection = new Connection(url)
  connection.on('error', () => {})
  onTestFinished(() => {
    connection.unsafeDestroy()
  })
  return connection
}

test('three nodes form one cluster, which serves a quorum queue while one of them is down', {
  timeout: limitMs,
}, async () => {
  await using cluster = await startRabbitmqCluster()
  const [first, second, third] = cluster.nodes
  const queue = { queue: 'shared', durable: true, arguments: { 'x-queue-type': 'quorum' as const } }

  const writer = connect(first!.url)
  await writer.queueDeclare(queue)
  const publisher = writer.createPublisher({ confirm: true })
  await publisher.send({ routingKey: 'shared', durable: true }, 'before')
  await first!.kill()

  const reader = connect(second!.url)
  const next = async (connection: Connection) => (await connection.basicGet({ queue: 'shared', noAck: true }))?.body
  await expect.poll(() => next(reader), { timeout: 30_000 }).toBe('before')
  await reader.createPublisher({ confirm: true }).send({ routingKey: 'shared', durable: true }, 'meanwhile')

  await first!.restart()
  await third!.kill()
  await expect.poll(() => next(connect(first!.url)), { timeout: 30_000 }).toBe('meanwhile')
})
