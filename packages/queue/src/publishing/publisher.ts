import { abortedError, type Clock, HeadraceError, isHeadraceError, throwIfAborted } from '@headrace/core'
import { createDeadlines, type Timed } from '../deadlines.ts'
import type { PublishOutcome, QueueDriver, QueueMessage } from '../driver.ts'
import { messageBytes } from '../message.ts'
import { type Batched, type Batches, createBatches, type Group } from './batches.ts'

export interface Publisher {
  publish(message: QueueMessage, signal: AbortSignal | undefined): Promise<void>
  /**
   * Admits all of the messages or none; each promise settles by itself. Of one partition, none is stored behind one that is
   * not.
   */
  publishAll(messages: readonly QueueMessage[], signal: AbortSignal | undefined): Promise<void>[]
  /** Those that are not confirmed yet. */
  messages(): number
  /** Refuses from now on, and waits for what is under way. */
  close(): Promise<void>
}

export interface PublisherOptions {
  readonly windowMax: number
  readonly windowBytesMax: number
  readonly publishMs: number
}

interface Pending extends Batched, Timed {
  readonly group: Company | undefined
  readonly message: QueueMessage
  readonly bytes: number
  sent: boolean
  settled: boolean
  forget: (() => void) | undefined
  journey: Journey | undefined
  readonly resolve: () => void
  readonly reject: (error: HeadraceError) => void
}

/** Messages of one call for one partition. */
interface Company extends Group {
  /** One of them was not stored. */
  failed: boolean
}

/** Of messages that are sent together. */
interface Journey {
  unanswered: number
  readonly over: () => void
}

export function createPublisher(
  driver: QueueDriver,
  queue: string,
  clock: Clock,
  options: PublisherOptions,
  hooks: { declared(): Promise<void>; refused(): void; busy(full: 'window' | 'bytes' | 'depth'): void },
): Publisher {
  const { windowMax, windowBytesMax, publishMs } = options
  const closed: (() => void)[] = []
  let closing = false
  let messages = 0
  let bytes = 0

  const end = (pending: Pending, error?: HeadraceError) => {
    if (pending.settled) return
    pending.settled = true
    deadlines.delete(pending)
    pending.forget?.()
    if (error) {
      if (pending.group) pending.group.failed = true
      pending.reject(error)
    } else pending.resolve()
    const { journey } = pending
    if (journey && --journey.unanswered === 0) journey.over()
  }
  // What the driver still holds stays in the window, even when its caller has been answered: else a backend that hangs
  // could be given more and more.
  const leave = (pending: Pending) => {
    messages--
    bytes -= pending.bytes
    if (messages === 0) for (const wake of closed.splice(0)) wake()
  }
  const drop = (pending: Pending, error: HeadraceError) => {
    if (batchesOf(pending).remove(pending)) leave(pending)
    end(pending, error)
  }

  const deadlines = createDeadlines<Pending>(clock, publishMs, (pending) => {
    if (pending.sent) return end(pending, uncertain(pending.message, `no confirmation within ${publishMs} ms`))
    const why = `${described(pending.message)} waited ${publishMs} ms for those before it and was not sent`
    drop(pending, new HeadraceError('BUSY', why))
  })

  // A partition whose leader is away must not hold up the others.
  const batches: (Batches<Pending> | undefined)[] = []
  const batchesOf = ({ message: { partition } }: Pending) =>
    (batches[partition] ??= createBatches<Pending>({
      sizeMin: 64,
      sizeMax: 500,
      inFlightMax: 4,
      oneOfGroup: !driver.supports.prefix,
      send,
    }))

  /** Over when each message was answered or is past its deadline, whether or not the driver ever answers. */
  function send(batch: readonly Pending[], over: () => void): void {
    const journey = { unanswered: batch.length, over }
    for (const pending of batch) pending.journey = journey
    hooks.declared().then(
      () => handOver(batch),
      (cause: unknown) => giveUp(batch, cause),
    )
  }

  // Also when it is not known whether the queue was declared: no message was sent.
  function giveUp(batch: readonly Pending[], cause: unknown): void {
    const refused = isHeadraceError(cause, 'REJECTED')
    for (const pending of batch) {
      leave(pending)
      const why = `${described(pending.message)} could not be sent`
      end(pending, refused ? cause : new HeadraceError('UNAVAILABLE', why, { cause }))
    }
  }

  async function handOver(batch: readonly Pending[]): Promise<void> {
    const wanted = batch.filter((pending) => {
      if (pending.group?.failed) {
        const why = `${described(pending.message)} was not sent: one before it was not stored`
        end(pending, new HeadraceError('UNAVAILABLE', why))
      }
      pending.sent = !pending.settled
      if (pending.settled) leave(pending)
      return pending.sent
    })
    if (wanted.length === 0) return
    let outcomes: Awaited<ReturnType<QueueDriver['publish']>>
    try {
      outcomes = await driver.publish(
        queue,
        wanted.map((pending) => pending.message),
      )
    } catch (cause) {
      outcomes = wanted.map(() => ({ type: 'unknown', cause }))
    }
    wanted.forEach((pending, at) => {
      const outcome = outcomes[at]
      if (outcome instanceof Promise) settleLater(pending, outcome)
      else settle(pending, outcome)
    })
  }

  const settle = (pending: Pending, outcome: PublishOutcome | undefined) => {
    leave(pending)
    end(pending, failure(pending.message, outcome))
  }

  function settleLater(pending: Pending, outcome: Promise<PublishOutcome>): void {
    outcome.then(
      (known) => settle(pending, known),
      (cause: unknown) => settle(pending, { type: 'unknown', cause }),
    )
  }

  function failure(message: QueueMessage, outcome: PublishOutcome | undefined): HeadraceError | undefined {
    switch (outcome?.type) {
      case 'stored':
        return undefined
      case 'full':
        hooks.busy('depth')
        return new HeadraceError('BUSY', `queue "${queue}" is full: ${described(message)} was not stored`)
      case 'refused':
        hooks.refused()
        return new HeadraceError('REJECTED', `${described(message)} was refused: ${outcome.reason}`)
      case 'unsent':
        return new HeadraceError('UNAVAILABLE', `${described(message)} could not be sent`, { cause: outcome.cause })
      default:
        return uncertain(message, 'the confirmation was lost', outcome?.cause)
    }
  }

  const start = (message: QueueMessage, size: number, signal: AbortSignal | undefined, group?: Company) =>
    new Promise<void>((resolve, reject) => {
      const pending: Pending = {
        group,
        message,
        bytes: size,
        sent: false,
        settled: false,
        forget: undefined,
        journey: undefined,
        dueMs: 0,
        wait: undefined,
        place: -1,
        resolve,
        reject,
      }
      deadlines.add(pending)
      batchesOf(pending).add(pending)
      if (signal) stopWith(signal, pending)
    })

  const stopWith = (signal: AbortSignal, pending: Pending) => {
    const abort = () => {
      const known = pending.sent ? 'perhaps stored' : 'not sent'
      drop(pending, abortedError(signal, `${described(pending.message)}, ${known},`))
    }
    signal.addEventListener('abort', abort, { once: true })
    pending.forget = () => signal.removeEventListener('abort', abort)
  }

  const admit = (count: number, size: number, signal: AbortSignal | undefined) => {
    if (closing) throw new HeadraceError('CLOSED', `queue "${queue}" is closed`)
    throwIfAborted(signal, 'publishing')
    if (messages + count > windowMax) throw full('window', `${messages} messages`)
    if (bytes + size > windowBytesMax) throw full('bytes', `${bytes} bytes`)
    messages += count
    bytes += size
  }

  const full = (what: 'window' | 'bytes', held: string) => {
    hooks.busy(what)
    return new HeadraceError('BUSY', `queue "${queue}" has ${held} unconfirmed: its ${what} is full`)
  }
  const described = (message: QueueMessage) => `message "${message.id}" to queue "${queue}"`
  const uncertain = (message: QueueMessage, why: string, cause?: unknown) =>
    new HeadraceError('TIMEOUT', `${described(message)} may or may not be stored: ${why}`, { cause })

  return {
    publish(message, signal) {
      const size = messageBytes(message)
      admit(1, size, signal)
      return start(message, size, signal)
    },
    publishAll(wanted, signal) {
      if (wanted.length > windowMax) {
        throw new RangeError(`messages must be at most windowMax, ${windowMax}, at a time, received ${wanted.length}`)
      }
      const sizes = wanted.map(messageBytes)
      admit(
        wanted.length,
        sizes.reduce((sum, size) => sum + size, 0),
        signal,
      )
      const groups = new Map<number, Company>()
      return wanted.map((message, at) => {
        const group = groups.get(message.partition) ?? { batch: undefined, failed: false }
        groups.set(message.partition, group)
        return start(message, sizes[at]!, signal, group)
      })
    },
    messages: () => messages,
    close() {
      closing = true
      return messages === 0 ? Promise.resolve() : new Promise((resolve) => closed.push(resolve))
    },
  }
}
