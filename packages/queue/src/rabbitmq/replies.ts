import { Buffer } from 'node:buffer'
import type { Channel } from 'rabbitmq-client'
import type { ReplyPort } from '../driver.ts'
import type { Confirms } from './confirms.ts'

/**
 * Answers go to a queue that the broker names and that ends with its connection: nothing is left behind, and nothing is
 * stored on disk.
 */
export function createReplies(open: () => Promise<Channel>, confirms: Confirms): ReplyPort {
  return {
    async open({ onReply, onLost }) {
      const channel = await open()
      let ended = false
      const end = (cause: unknown) => {
        if (ended) return
        ended = true
        onLost(cause)
      }
      channel.on('close', () => end(new Error('the channel was closed')))
      channel.on('basic.cancel', (_tag, cause: unknown) => {
        end(cause)
        void channel.close()
      })
      try {
        const { queue: address } = await channel.queueDeclare({ exclusive: true, autoDelete: true })
        await channel.basicConsume({ queue: address, noAck: true }, ({ messageId = '', body }) => {
          const payload = Buffer.isBuffer(body) ? body.toString() : ''
          if (!ended) onReply({ id: messageId, payload })
        })
        return {
          address,
          async close() {
            ended = true
            await channel.close()
          },
        }
      } catch (error) {
        ended = true
        void channel.close()
        throw error
      }
    },
    async send(address, { id, payload }) {
      // A box that is gone returns it: whoever asked is gone, too.
      const [sent] = confirms.publish([[{ routingKey: address, messageId: id, mandatory: true }, Buffer.from(payload)]])
      await sent
    },
  }
}
