export type { BatchOptions, ConsumeOptions, Consumer, ConsumerStats } from './consumer.ts'
export type { DeadLetterQuery, DeadLetters, RedriveOptions } from './dead-letters.ts'
export type {
  DeadInfo,
  DeadMessage,
  DeadReason,
  DeadVerdict,
  Delivery,
  DriverStats,
  PublishOutcome,
  QueueDeclaration,
  QueueDifference,
  QueueDriver,
  QueueMessage,
  QueueSupports,
  Settlement,
  Subscriber,
  Subscription,
} from './driver.ts'
export type { QueueEvent } from './events.ts'
export { type DeadLetter, type Message, type MessageOptions, reject } from './message.ts'
export {
  type BatchResults,
  createQueue,
  type NewMessage,
  type PublishOptions,
  type Queue,
  type QueueOptions,
  type QueueStats,
  type RetryOptions,
} from './queue.ts'
export type { HandlerContext } from './run.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './schema.ts'
