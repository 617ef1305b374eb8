import { createHash } from 'node:crypto'
import type { Delivery, Finishing } from '../driver.ts'
import { createFifo } from '../fifo.ts'
import type { StoredMessage } from './envelope.ts'
import type { Place, Progress } from './progress.ts'

type Parts = (StoredMessage | undefined)[]

/** An AMQP message and what it carries. */
interface Frame {
  readonly deliveryTag: number
  readonly redeliveries: number
  readonly unpack: () => readonly StoredMessage[]
  /** A place for each message, empty once it is settled. Read when its turn comes: packed it needs less room. */
  parts: Parts | undefined
  /** Messages that are not settled. */
  open: number
  /** The next one to deliver. */
  next: number
  /** Where it goes on that is handled with care. */
  resumed: Place | undefined
}

/** How frames are handled that were delivered again and again: one of their messages may end its process. */
export interface Care {
  /** From so many redeliveries on. */
  readonly from: number
  /** What messages that are not to blame have for redeliveries. */
  readonly base: number
  readonly progress: Progress
}

/** Takes frames apart into deliveries, and says which AMQP messages are settled with them. */
export interface Unpacking {
  /** Delivers what `unpack` gives, `count` messages, now or when there is credit. */
  add(deliveryTag: number, redeliveries: number, count: number, unpack: () => readonly StoredMessage[]): void
  /** The message of a delivery that is not settled. */
  find(tag: number): StoredMessage | undefined
  /** @returns the delivery tags of AMQP messages of which nothing is open any more. */
  settle(tags: readonly number[]): number[]
  /** Delivers as far as the credit reaches. */
  deliver(): void
  /** The lowest delivery tag of which something is open. */
  readonly lowestOpen: number | undefined
  /** Messages that wait here for credit. */
  readonly waiting: number
  /** From now on delivers only what came with messages that are settled already, or with one of these. */
  finish(tags: readonly number[]): Finishing
  /** Delivers nothing from now on, and forgets all. */
  stop(): void
}

/** More than a frame can hold: the tag of a delivery is that of its frame and its place in it. */
const placesPerFrame = 512

/** Of all that is in it: another frame that was taken for it would have messages passed over. */
const nameOf = (parts: Parts) =>
  createHash('sha256')
    .update(JSON.stringify(parts.map((part) => [part?.id, part?.publishedAtMs])))
    .digest('base64url')

/**
 * @param credit deliveries that may be unsettled at a time.
 * @param care where frames that come again and again are handled message by message, each noted before its turn, so that
 * the one that ends its process is found, and the others are handled once.
 * @param broken is told what `unpack` has thrown; nothing is delivered from then on.
 */
export function createUnpacking(
  credit: number,
  onDelivery: (delivery: Delivery) => void,
  broken: (cause: unknown) => void,
  care?: Care,
): Unpacking {
  const frames = new Map<number, Frame>()
  const pending = createFifo<Frame>()
  let unsettled = 0
  let delivering = false
  let stopped = false
  let noting = false
  let finishing: { readonly begun: Set<Frame>; readonly end: () => void } | undefined

  function deliver(): void {
    // What is settled at once inside the loop is made up for by the loop.
    if (delivering) return
    delivering = true
    for (let frame = pending.peek(0); frame && unsettled < credit && !noting; frame = pending.peek(0)) {
      try {
        frame.parts ??= opened(frame)
      } catch (cause) {
        fail(cause)
        break
      }
      const { parts } = frame
      if (frame.next === parts.length) {
        pending.shift()
        continue
      }
      if (care && frame.redeliveries >= care.from && parts.length > 1) {
        // Beside another that ends the process it would take the blame.
        if (unsettled === 0) void handleWithCare(care, frame, parts)
        break
      }
      hand(frame, parts, frame.redeliveries)
    }
    delivering = false
  }

  function hand(frame: Frame, parts: Parts, redeliveries: number): void {
    const place = frame.next++
    unsettled++
    onDelivery({ tag: frame.deliveryTag * placesPerFrame + place, message: parts[place]!, redeliveries })
  }

  async function handleWithCare({ base, progress }: Care, frame: Frame, parts: Parts): Promise<void> {
    noting = true
    try {
      frame.resumed ??= await resume(progress, frame, parts)
      const place = frame.next
      const times = frame.resumed.place === place ? frame.resumed.times : 0
      await progress.note({ ...frame.resumed, place, times: times + 1 })
      noting = false
      if (stopped) return
      hand(frame, parts, base + times)
      deliver()
    } catch (cause) {
      fail(cause)
    }
  }

  async function resume(progress: Progress, frame: Frame, parts: Parts): Promise<Place> {
    const name = nameOf(parts)
    const noted = await progress.read()
    if (noted?.frame !== name || noted.place >= parts.length) return { frame: name, place: 0, times: 0 }
    // Those before it were settled, or it would not have had its turn.
    parts.fill(undefined, 0, noted.place)
    frame.open -= noted.place
    frame.next = noted.place
    return noted
  }

  function fail(cause: unknown): void {
    if (stopped) return
    stop()
    broken(cause)
  }

  function opened(frame: Frame): Parts {
    const parts = [...frame.unpack()]
    frame.open = parts.length
    return parts
  }

  function stop(): void {
    stopped = true
    frames.clear()
    while (pending.size > 0) pending.shift()
    finishing?.end()
  }

  function ended(frame: Frame): void {
    frames.delete(frame.deliveryTag)
    if (finishing?.begun.delete(frame) && finishing.begun.size === 0) finishing.end()
  }

  const frameOf = (tag: number) => frames.get(Math.floor(tag / placesPerFrame))

  return {
    add(deliveryTag, redeliveries, count, unpack) {
      if (stopped || finishing) return
      const frame: Frame = {
        deliveryTag,
        redeliveries,
        unpack,
        parts: undefined,
        open: count,
        next: 0,
        resumed: undefined,
      }
      frames.set(deliveryTag, frame)
      pending.push(frame)
      deliver()
    },
    find(tag) {
      const frame = frameOf(tag)
      const place = tag % placesPerFrame
      return frame && place < frame.next ? frame.parts?.[place] : undefined
    },
    settle(tags) {
      const done: number[] = []
      for (const tag of tags) {
        const frame = frameOf(tag)
        const place = tag % placesPerFrame
        if (!frame?.parts || place >= frame.next || !frame.parts[place]) continue
        frame.parts[place] = undefined
        unsettled--
        if (--frame.open > 0) continue
        ended(frame)
        done.push(frame.deliveryTag)
      }
      return done
    },
    deliver,
    get lowestOpen() {
      const [lowest] = frames.keys()
      return lowest
    },
    get waiting() {
      let waiting = 0
      for (let at = 0; at < pending.size; at++) {
        const { parts, next, open } = pending.peek(at)!
        waiting += parts ? parts.length - next : open
      }
      return waiting
    },
    finish(tags) {
      const { promise: done, resolve: end } = Promise.withResolvers<void>()
      const touched = new Set(tags.map(frameOf))
      const begun = new Set<Frame>()
      for (const frame of frames.values()) {
        const { parts, open } = frame
        if (parts && parts.length > 1 && (open < parts.length || touched.has(frame))) begun.add(frame)
      }
      for (let left = pending.size; left > 0; left--) {
        const frame = pending.shift()!
        if (begun.has(frame)) pending.push(frame)
      }
      finishing = { begun, end }
      if (begun.size === 0 || stopped) end()
      return { done, keeps: (tag) => begun.has(frameOf(tag)!) }
    },
    stop,
  }
}
