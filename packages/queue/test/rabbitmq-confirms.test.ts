import { EventEmitter } from 'node:events'
import { type ManualClock, manualClock } from '@headrace/core/testing'
import type { Channel } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import { type Confirms, createConfirms } from '../src/rabbitmq/confirms.ts'
import { deferred } from './set-up.ts'

/** Channels of a client whose broker answers when the test says so. */
function broker(): { clock: ManualClock; channels: FakeChannel[]; confirms: Confirms } {
  const clock = manualClock()
  const channels: FakeChannel[] = []
  const open = async () => {
    const channel = new FakeChannel()
    channels.push(channel)
    return channel as unknown as Channel
  }
  return { clock, channels, confirms: createConfirms(open, clock) }
}

class FakeChannel extends EventEmitter {
  active = true
  readonly published: ReturnType<typeof deferred<void>>[] = []

  async confirmSelect(): Promise<void> {}
  basicPublish(): Promise<void> {
    const answer = deferred()
    this.published.push(answer)
    return answer.promise
  }
  async close(): Promise<void> {
    this.active = false
    this.emit('close')
  }
  refuse(at: number): void {
    this.published[at]!.reject(Object.assign(new Error('message rejected by server'), { code: 'NACK' }))
  }
}

const publish = (confirms: Confirms) => confirms.publish([[{ routingKey: 'q' }, Buffer.from('x')]])[0]!

describe('the channel that publishes to RabbitMQ', () => {
  it('is replaced after a refusal, which may be about the channel and not about the queue', async () => {
    const { clock, channels, confirms } = broker()
    await confirms.open()
    await clock.advance(1_000)
    const refused = publish(confirms)
    await clock.settle()
    channels[0]!.refuse(0)
    expect(await refused).toEqual({ type: 'full' })
    const next = publish(confirms)
    await clock.settle()
    expect(channels.map(({ active }) => active)).toEqual([false, true])
    channels[1]!.published[0]!.resolve()
    expect(await next).toEqual({ type: 'stored' })
  })

  it('is not replaced while it has messages that are not answered: others would overtake them', async () => {
    const { clock, channels, confirms } = broker()
    await confirms.open()
    await clock.advance(1_000)
    const [slow, refused] = [publish(confirms), publish(confirms)]
    await clock.settle()
    channels[0]!.refuse(1)
    expect(await refused).toEqual({ type: 'full' })
    const next = publish(confirms)
    await clock.settle()
    expect(channels).toHaveLength(1)
    channels[0]!.published[0]!.resolve()
    expect(await slow).toEqual({ type: 'stored' })
    await clock.settle()
    channels[1]!.published[0]!.resolve()
    expect(await next).toEqual({ type: 'stored' })
  })

  it('is not replaced more than once a second, however often a full queue refuses', async () => {
    const { clock, channels, confirms } = broker()
    await confirms.open()
    for (let times = 0; times < 10; times++) {
      const refused = publish(confirms)
      await clock.settle()
      channels.at(-1)!.refuse(channels.at(-1)!.published.length - 1)
      expect(await refused).toEqual({ type: 'full' })
      await clock.advance(300)
    }
    expect(channels).toHaveLength(3)
  })

  it('is made again when it is closed, and only then', async () => {
    const { clock, channels, confirms } = broker()
    await confirms.open()
    await confirms.open()
    expect(channels).toHaveLength(1)
    await channels[0]!.close()
    const next = publish(confirms)
    await clock.settle()
    channels[1]!.published[0]!.resolve()
    expect(await next).toEqual({ type: 'stored' })
  })
})
