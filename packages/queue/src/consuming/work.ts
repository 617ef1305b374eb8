import type { Backoff, Clock } from '@headrace/core'
import type { QueueDriver } from '../driver.ts'
import type { QueueEvent } from '../events.ts'
import type { Message } from '../message.ts'
import type { Answers } from '../requests/replies.ts'
import type { HandlerContext } from './run.ts'

/** The part of consuming in which one message at a time and batches differ. */
export interface Work<Body> {
  /** What it throws sends the message to the dead letters. */
  readonly decode: (payload: string) => Body | Promise<Body>
  readonly handle: (messages: Message<Body>[], context: HandlerContext) => unknown
  /** One result for each message; undefined where all have succeeded. */
  readonly results: (returned: unknown, count: number) => readonly PromiseSettledResult<unknown>[] | undefined
}

/** What all consumers of a queue share. */
export interface ConsumerContext {
  readonly driver: QueueDriver
  readonly queue: string
  readonly partitions: number
  readonly clock: Clock
  readonly attempts: number
  readonly onExhausted: 'dead-letter' | 'park'
  readonly onExpired: 'dead-letter' | 'drop'
  readonly parkedKeysMax: number
  readonly backoff: Backoff
  readonly reconnect: Backoff
  readonly callMs: number
  readonly emit: ((event: QueueEvent) => void) | undefined
  readonly answers: Answers | undefined
  readonly declared: () => Promise<void>
  readonly undeclared: () => void
}
