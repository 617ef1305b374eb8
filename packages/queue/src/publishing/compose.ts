import {
  type Clock,
  checkInteger,
  checkKey,
  checkNumber,
  HeadraceError,
  partitionOf,
  type Random,
  randomId,
} from '@headrace/core'
import type { QueueDriver, QueueMessage } from '../driver.ts'
import { checkHeaders, type MessageOptions, messageBytes, toPayload } from '../message.ts'
import { commandHeader, expiryHeader, priorityHeader } from '../own-headers.ts'
import { holdMaxMs } from '../queue-options.ts'

/** Makes what travels of what is published. */
export interface Composer {
  message(body: unknown, options: MessageOptions): QueueMessage
  /** What an operator wants done with a key, on its way to the consumer of its partition. */
  command(key: string, payload: string): QueueMessage
}

export function createComposer(
  driver: QueueDriver,
  options: {
    readonly partitions: number
    readonly messageBytesMax: number
    readonly ttlMs: number | undefined
    readonly clock: Clock
    readonly random: Random
  },
): Composer {
  const { partitions, messageBytesMax, clock, random } = options
  // Random per queue object and counted within it: as unique as random ids, and much cheaper.
  const idPrefix = `${randomId(random)}-`
  let nextId = 0
  let nextPartition = 0
  const freshId = () => `${idPrefix}${(nextId++).toString(36)}`

  return {
    message(body, { key, id, delayMs = 0, headers, ttlMs = options.ttlMs, priority }) {
      if (key !== undefined) checkKey('key', key)
      if (id === undefined) id = freshId()
      else checkKey('id', id)
      checkNumber('delayMs', delayMs, { min: 0, max: holdMaxMs })
      if (delayMs > 0 && !driver.supports.delay) {
        throw new HeadraceError('UNSUPPORTED', `${driver.name} cannot delay messages`)
      }
      const publishedAtMs = clock.wallMs()
      let sent = headers ? checkHeaders(headers) : noHeaders
      if (ttlMs !== undefined) {
        checkNumber('ttlMs', ttlMs, { min: 1, max: holdMaxMs })
        sent = { ...sent, [expiryHeader]: String(publishedAtMs + delayMs + ttlMs) }
      }
      if (priority !== undefined) {
        checkInteger('priority', priority, { min: 0, max: 9 })
        sent = { ...sent, [priorityHeader]: String(priority) }
      }
      const partition = key === undefined ? nextPartition++ % partitions : partitionOf(key, partitions)
      const made: QueueMessage = { id, key, partition, payload: toPayload(body), headers: sent, publishedAtMs, delayMs }
      // Up to a third of the limit every payload fits, whatever its characters are.
      if (sent === noHeaders && made.payload.length <= messageBytesMax / 3) return made
      const bytes = messageBytes(made)
      if (bytes <= messageBytesMax) return made
      throw new HeadraceError('REJECTED', `message "${id}" has ${bytes} bytes, more than ${messageBytesMax}`)
    },
    command: (key, payload) => ({
      id: freshId(),
      key,
      partition: partitionOf(key, partitions),
      payload,
      headers: { [commandHeader]: '1' },
      publishedAtMs: clock.wallMs(),
      delayMs: 0,
    }),
  }
}

const noHeaders: QueueMessage['headers'] = Object.freeze({})
