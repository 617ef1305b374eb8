import { systemClock } from '@headrace/core'
import type { Channel } from 'rabbitmq-client'

const quietMs = 200
const prefetchMax = 65_535

/**
 * Takes `count` more messages of a queue, to give them back with those that the channel holds already. A quorum queue puts
 * what is given back behind what was given back before and not taken again: who has looked at some has to take the others,
 * too, or they change places. Ends early where another holds some of them.
 */
export async function holdRest(channel: Channel, queue: string, count: number): Promise<void> {
  let left = Math.min(count, prefetchMax)
  let atMs = systemClock.nowMs()
  await channel.basicQos({ prefetchCount: left })
  await channel.basicConsume({ queue }, () => {
    left--
    atMs = systemClock.nowMs()
  })
  while (channel.active && left > 0 && systemClock.nowMs() - atMs < quietMs) await systemClock.sleep(2)
}
