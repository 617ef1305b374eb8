/**
 * What a message system must do. Applications use `createQueue`; only backends implement this.
 *
 * A driver is told once and says what happened: it never retries, waits for a reconnection, validates, logs or measures.
 * Every method may be called concurrently. Every promise settles at the latest when the connection it used is gone.
 */
export interface QueueDriver {
  readonly name: string
  readonly supports: QueueSupports
  /**
   * Makes the queue and its partitions exist. Doing it again is harmless.
   * @returns what exists already and differs from what was asked for; empty where all is as described.
   */
  declare(queue: QueueDeclaration): Promise<readonly QueueDifference[]>
  /**
   * Stores the messages, in this order; two calls take effect in the order of the calls.
   * @returns one outcome for each message, or the promise of one where the backend answers for each by itself. A rejection
   * means that an outcome is unknown.
   */
  publish(
    queue: string,
    messages: readonly QueueMessage[],
  ): Promise<readonly (PublishOutcome | Promise<PublishOutcome>)[]>
  /**
   * Delivers the messages of one partition, oldest first, until the subscription ends. Of several subscriptions to one
   * partition a single one is active; another becomes active when it ends.
   * @throws where the queue is not declared.
   */
  subscribe(queue: string, partition: number, subscriber: Subscriber): Promise<Subscription>
  /**
   * Shows each dead letter that exists now to `visit`, oldest first, and does durably what it answers. A redriven message
   * is stored at the end of its partition, without its header `headrace-expires-at`, before it leaves the dead letters, so
   * that a crash in between doubles it and never loses it.
   */
  visitDead(queue: string, visit: (dead: DeadMessage) => Promise<DeadVerdict> | DeadVerdict): Promise<void>
  stats(queue: string): Promise<DriverStats>
  /** The keys that are parked, and why; where `supports.park`. */
  parked?(queue: string): Promise<readonly ParkedKey[]>
  /** The way of answers to requests; where `supports.replies`. */
  readonly replies?: ReplyPort
  /** Ends what the driver itself opened, subscriptions too; the client that the application made stays open. */
  close(): Promise<void>
}

/** How backends differ, as data. */
export interface QueueSupports {
  /** What is confirmed survives the end of this process and of the machine. */
  readonly durable: boolean
  /** Messages can be held back by `delayMs`. */
  readonly delay: boolean
  /** The backend refuses a message when `depthMax` are stored. */
  readonly depthMax: boolean
  /** Keys can be parked. */
  readonly park?: boolean
  /** A full queue can give up its oldest message for a new one: `onFull: 'dead-letter'`. */
  readonly evict?: boolean
  /** A handler's answer can reach whoever has published the message: there is `replies`. */
  readonly replies?: boolean
  /** `stats` knows the oldest waiting message. */
  readonly oldest: boolean
  /** Of the messages of one call of `publish` for one partition, none is stored behind one that is not. */
  readonly prefix?: boolean
  /** Bytes of payload and headers of the largest message. */
  readonly messageBytesMax: number
}

export interface QueueDeclaration {
  readonly name: string
  readonly partitions: number
  /** Messages stored at most, dead letters included; where `supports.depthMax`. */
  readonly depthMax: number
  /** Keys will be parked here. */
  readonly park?: boolean | undefined
  /**
   * What becomes of a message for a full queue. It is refused unless this says `dead-letter`: then the oldest message of its
   * partition that nobody holds goes to the dead letters, which may be `depthMax` besides.
   */
  readonly onFull?: 'reject' | 'dead-letter' | undefined
}

export interface QueueDifference {
  readonly what: string
  readonly wanted: string
  /** Undefined where the backend does not tell. */
  readonly found: string | undefined
}

/** A message on its way: everything is text or a number, so that every backend can carry it unchanged. */
export interface QueueMessage {
  readonly id: string
  readonly key: string | undefined
  readonly partition: number
  /** JSON. */
  readonly payload: string
  readonly headers: Readonly<Record<string, string>>
  /** Wall clock of the publisher. */
  readonly publishedAtMs: number
  readonly delayMs: number
}

/**
 * - `stored`: durable, as far as the driver is.
 * - `full`: refused, the queue holds `depthMax` messages.
 * - `refused`: understood and refused for another reason.
 * - `unsent`: certainly not stored.
 * - `unknown`: perhaps stored.
 */
export type PublishOutcome =
  | { readonly type: 'stored' }
  | { readonly type: 'full' }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'unsent' | 'unknown'; readonly cause: unknown }

export interface Subscriber {
  /** Deliveries that may be unsettled at a time. */
  readonly credit: number
  /**
   * With so many redeliveries a message is given up unhandled. A driver that delivers messages again together must find
   * out before which of them is to blame.
   */
  readonly redeliveriesMax?: number
  onDelivery(delivery: Delivery): void
  /** Called before the first delivery where keys of the partition are parked. */
  onParked?(keys: readonly string[]): void
  /** Called once when the subscription has ended without `close`; its unsettled messages are delivered again. */
  onLost(cause: unknown): void
}

export interface Delivery {
  /** Names this delivery to the `settle` of its own subscription. */
  readonly tag: number
  readonly message: Omit<QueueMessage, 'delayMs'>
  /** How often the message was delivered before, as far as the backend knows. */
  readonly redeliveries: number
}

export interface Subscription {
  /**
   * Removes messages from the queue; those with `dead` are moved to the dead letters, never lost in between. A tag that
   * was settled before is passed over; after the subscription has ended nothing is settled. A driver may keep messages of
   * one call of `publish` together: until all of them are settled, all of them come again.
   */
  settle(settlements: readonly Settlement[]): Promise<void>
  /**
   * Delivers the oldest parked messages of a key, at most `max`, besides the credit and not through `onDelivery`. They stay
   * parked until they are settled. Called again, also for another key, when those before are settled.
   */
  unpark?(key: string, max: number): Promise<readonly Delivery[]>
  /**
   * Where messages are kept together: from now on delivers only those without which others that are settled, or are
   * `running`, would come again.
   */
  finish?(running: readonly number[]): Finishing
  /** Ends the subscription. Unsettled messages are delivered again, in their old order and before younger ones. */
  close(): Promise<void>
}

export interface Finishing {
  /** Whether a delivery is one of those. */
  keeps(tag: number): boolean
  /** When all of them are settled, or the subscription has ended. */
  readonly done: Promise<void>
}

export interface Settlement {
  readonly tag: number
  readonly dead?: DeadInfo | undefined
  /** Moves the message durably behind those of its key that are parked; one that is parked stays in its place. */
  readonly park?: Park | undefined
}

export interface Park {
  /** Why the key is parked, where it is for this message. */
  readonly because?: DeadInfo | undefined
}

/** A key is parked as long as it has parked messages. */
export interface ParkedKey {
  readonly key: string
  readonly partition: number
  /** Its parked messages. */
  readonly waiting: number
  /** The oldest of them, and why it is there; undefined while it is not known, as in the middle of an unparking. */
  readonly id: string
  readonly because: DeadInfo | undefined
}

/**
 * - `rejected`: the handler threw `reject(…)`.
 * - `exhausted`: the handler failed at every attempt.
 * - `invalid`: not JSON, or refused by the schema.
 * - `redelivered`: delivered too often without an end, as by a message that kills the process.
 * - `expired`: its `ttlMs` was over before a handler had it.
 * - `overflow`: the queue was full, and it was the oldest.
 */
export type DeadReason = 'rejected' | 'exhausted' | 'invalid' | 'redelivered' | 'expired' | 'overflow'

export interface DeadInfo {
  readonly reason: DeadReason
  readonly error: string
  readonly attempts: number
  readonly deadAtMs: number
}

export interface DeadMessage extends DeadInfo {
  readonly message: Omit<QueueMessage, 'delayMs'>
}

/** Carries answers back, at most once each. */
export interface ReplyPort {
  /** Opens a box, which ends when it is closed, and with this process or its connection. */
  open(receiver: ReplyReceiver): Promise<ReplyBox>
  /** Puts an answer into a box, through any connection. One for a box that is gone is dropped, and not an error. */
  send(address: string, reply: Reply): Promise<void>
}

export interface ReplyReceiver {
  onReply(reply: Reply): void
  /** Called once when the box has ended without `close`; answers may have been lost. */
  onLost(cause: unknown): void
}

export interface ReplyBox {
  /** Names the box, also to other processes; at most 500 bytes. */
  readonly address: string
  close(): Promise<void>
}

export interface Reply {
  readonly id: string
  /** JSON. */
  readonly payload: string
}

export type DeadVerdict = 'keep' | 'redrive' | 'remove' | 'stop'

export interface DriverStats {
  /** Stored and due, not delivered to anyone; at least, where messages are kept together. */
  readonly waiting: number
  /** Held back by their delay; 0 where the backend does not tell. */
  readonly delayed: number
  readonly dead: number
  /** Wall clock at which the oldest waiting message was published; undefined where none waits or it is not known. */
  readonly oldestAtMs: number | undefined
}
