import type { Appointment } from './agenda.ts'
import { createFifo, type Entry, type Fifo } from './fifo.ts'
import type { House } from './house.ts'

/** Something that waits in the backend's queue for `key`. */
export interface Queued extends Entry {
  readonly key: string
  lookAgain(): void
}

/**
 * Looks again when the holder's ttl should have ended: the holder may have died. For each key only the first in line
 * of this process does; the others cost nothing while they wait.
 */
export interface Lookout {
  /** Puts `waiting` at the end of its key's line, unless it is in it, and looks for the first of them in `leftMs`. */
  wait(waiting: Queued, leftMs: number): void
  leave(waiting: Queued): void
  /** Lets all who wait look now; for one key, or for all. */
  lookAgain(key?: string): void
}

// Several processes wait for the same moment; this much apart they do not come as a herd.
const jitterMs = 50

export function createLookout(house: Pick<House, 'clock' | 'agenda' | 'random' | 'supports' | 'pollMs'>): Lookout {
  const { clock, agenda, random, supports, pollMs } = house
  const posts = new Map<string, Post>()

  const arm = (post: Post, leftMs: number) => {
    agenda.cancel(post.due)
    post.leftMs = leftMs
    const pauseMs = supports.queue === 'polled' ? Math.min(leftMs, pollMs) : leftMs
    post.due = agenda.at(clock.nowMs() + pauseMs + 1 + random.next() * Math.min(jitterMs, pauseMs), () =>
      post.line.first?.lookAgain(),
    )
  }

  return {
    wait(waiting, leftMs) {
      const { key } = waiting
      let post = posts.get(key)
      if (!post) {
        post = { line: createFifo<Queued>(), members: new Set(), due: undefined, leftMs }
        posts.set(key, post)
      }
      if (!post.members.has(waiting)) {
        post.members.add(waiting)
        post.line.push(waiting)
      }
      // The others are told no less than the first one was.
      if (post.line.first === waiting) arm(post, leftMs)
    },
    leave(waiting) {
      const post = posts.get(waiting.key)
      if (!post?.members.delete(waiting)) return
      post.line.delete(waiting)
      if (!post.line.first) {
        agenda.cancel(post.due)
        posts.delete(waiting.key)
      } else if (post.due!.place < 0) arm(post, post.leftMs)
    },
    lookAgain(key) {
      const found = key === undefined ? [...posts.values()] : [posts.get(key)]
      for (const post of found) for (const waiting of post?.line ?? []) waiting.lookAgain()
    },
  }
}

interface Post {
  readonly line: Fifo<Queued>
  readonly members: Set<Queued>
  due: Appointment | undefined
  leftMs: number
}
