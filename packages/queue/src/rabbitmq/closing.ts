import type { Channel } from 'rabbitmq-client'

/**
 * Has `close` settle when the channel is gone, however it went: the client waits for ever for the broker's answer where the
 * connection ends while the channel waits for its last call.
 */
export function closeSurely(channel: Channel): void {
  const gone = new Promise<void>((resolve) => {
    channel.on('close', resolve)
  })
  const close = channel.close.bind(channel)
  channel.close = () => Promise.race([close(), gone])
}
