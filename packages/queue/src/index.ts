export type { BatchOptions, ConsumeOptions, Consumer, ConsumerStats } from './consume-options.ts'
export { createQueue } from './create-queue.ts'
export type { DeadLetterQuery, DeadLetters, RedriveOptions } from './dead-letters.ts'
export type {
  DeadInfo,
  DeadMessage,
  DeadReason,
  DeadVerdict,
  Delivery,
  DriverStats,
  Park,
  ParkedKey,
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
export type {
  BatchResults,
  NewMessage,
  PublishOptions,
  Queue,
  QueueOptions,
  QueueStats,
  RetryOptions,
} from './queue.ts'
export type { HandlerContext } from './run.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './schema.ts'
