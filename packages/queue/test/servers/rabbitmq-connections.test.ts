import { createQueue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { serverUrl } from '@headrace/stack'
import type { Connection } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import { type HistoryEvent, violations } from '../history.ts'
import { isEmpty, options, publishSurely, recorded } from './rabbitmq-history.ts'
import { connect, until } from './rabbitmq-set-up.ts'

/** What a connection holds: its channels, and who listens to it. */
const heldBy = (connection: Connection) => {
  const { _state, _socket } = connection as unknown as {
    _state: { leased: { size: number } }
    _socket: NodeJS.EventEmitter & { destroy(): void }
  }
  const listeners = connection.eventNames().reduce((sum, name) => sum + connection.listenerCount(name), 0)
  return { channels: _state.leased.size, listeners, cut: () => _socket.destroy() }
}

describe('hazard 31', () => {
  it('a storm of reconnections leaves no channel and no listener behind', async () => {
    const [publishing, consuming] = [connect({ url: serverUrl('rabbitmq') }), connect({ url: serverUrl('rabbitmq') })]
    const both = [publishing, consuming] as const
    const listeners = both.map((connection) => heldBy(connection).listeners)
    const driver = rabbitmqQueue(publishing, { consuming })
    const queue = createQueue<number>(driver, `storm-${process.pid}-${Date.now()}`, options)
    const history: HistoryEvent[] = []
    const handled = new Set<string>()
    queue.consume(recorded('one', history, handled), { redeliveriesMax: 1_000 })
    const during: { readonly channels: number; readonly listeners: number }[] = []
    let sequence = 0
    for (let drops = 0; drops < 39; drops++) {
      await publishSurely(queue, history, 'k', sequence++)
      await until(() => both.every(({ ready }) => ready), 'both are back')
      if (drops % 13 === 12) {
        await until(() => handled.size === sequence, 'consumers are back, too')
        during.push(
          both
            .map(heldBy)
            .reduce((a, b) => ({ channels: a.channels + b.channels, listeners: a.listeners + b.listeners, cut() {} })),
        )
      }
      for (const connection of both) heldBy(connection).cut()
    }
    await until(() => handled.size === sequence, 'all are handled')
    await until(() => isEmpty(queue), 'all are settled')
    expect(violations(history)).toEqual([])
    // One that publishes, and one for each of two partitions; the last of what asked for the depth may still be closing.
    for (const { channels, listeners } of during) {
      expect(channels).toBeLessThanOrEqual(5)
      expect(listeners).toBe(during[0]!.listeners)
    }
    await queue.close()
    await driver.close()
    await until(() => both.every((connection) => heldBy(connection).channels === 0), 'no channel is left')
    expect(both.map((connection) => heldBy(connection).listeners)).toEqual(listeners)
  })

  it.each([
    ['a wrong password', (url: URL) => Object.assign(url, { password: 'not-this-one' })],
    ['a virtual host that is not there', (url: URL) => Object.assign(url, { pathname: '/nowhere' })],
    ['a dead address among good ones', (url: URL) => url],
  ])('%s is told without secrets, and does not keep anybody', async (what, change) => {
    const url = change(new URL(serverUrl('rabbitmq')))
    const hosts = what.startsWith('a dead') ? { hosts: ['127.0.0.1:1', url.host] } : {}
    const queue = createQueue<number>(
      rabbitmqQueue(connect({ url: url.href, ...hosts, acquireTimeout: 200 })),
      `stranger-${process.pid}-${Date.now()}`,
      { callMs: 300, publishMs: 1_000 },
    )
    const attempt = () =>
      queue.publish(1).then(
        () => 'stored',
        (error: unknown) => error,
      )
    if (what.startsWith('a dead')) await until(async () => (await attempt()) === 'stored', 'the good one is found')
    else {
      const error = await attempt()
      expect(error).toMatchObject({ code: 'UNAVAILABLE' })
      expect(`${error} ${(error as Error).cause}`).not.toContain('not-this-one')
    }
    queue.consume(() => {})
    expect(await queue.close()).toBeUndefined()
  })
})
