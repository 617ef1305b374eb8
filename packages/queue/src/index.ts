export type { BatchOptions, ConsumeOptions, Consumer, ConsumerStats } from './consuming/consume-options.ts'
export type { HandlerContext } from './consuming/run.ts'
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
  Reply,
  ReplyBox,
  ReplyPort,
  ReplyReceiver,
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
  RequestOptions,
  RetryOptions,
} from './queue.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './schema.ts'
export type { QueueTracing, TracedMessage } from './tracing.ts'
