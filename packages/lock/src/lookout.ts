import type { Clock, Random } from '@headrace/core'
import type { Agenda, Due } from './agenda.ts'
import type { LockSupports } from './driver.ts'
import { type Entry, Fifo } from './fifo.ts'

/** Something that waits in the backend's queue for `key`. */
export interface Queued extends Entry {
  readonly key: string
  readonly id: string
  lookAgain(): void
}

/**
 * Knows who waits at the backend, and looks again when the holder's ttl should have ended: the holder may have died.
 * For each key only the first in line of this process does; the others cost nothing while they wait.
 */
export interface Lookout<T extends Queued = Queued> {
  /** Puts `waiting` at the end of its key's line, unless it is in it, and looks for the first of them in `leftMs`. */
  wait(waiting: T, leftMs: number): void
  leave(waiting: T): void
  /** Lets all who wait look now; for one key, or for all. */
  lookAgain(key?: string): void
  find(id: string): T | undefined
}

// Several processes wait for the same moment; this much apart they do not come as a herd.
const jitterMs = 50

export function createLookout<T extends Queued>(options: {
  readonly clock: Clock
  readonly agenda: Agenda
  readonly random: Random
  readonly supports: LockSupports
  readonly pollMs: number
}): Lookout<T> {
  const { clock, agenda, random, supports, pollMs } = options
  const posts = new Map<string, Post>()
  const members = new Map<string, T>()

  interface Post extends Due {
    readonly line: Fifo<T>
    leftMs: number
  }

  const arm = (post: Post, leftMs: number) => {
    post.leftMs = leftMs
    const pauseMs = supports.queue === 'polled' ? Math.min(leftMs, pollMs) : leftMs
    agenda.set(post, clock.nowMs() + pauseMs + 1 + random.next() * Math.min(jitterMs, pauseMs))
  }

  return {
    wait(waiting, leftMs) {
      let post = posts.get(waiting.key)
      if (!post) {
        const line = new Fifo<T>()
        post = { atMs: 0, place: -1, line, leftMs, due: () => line.first?.lookAgain() }
        posts.set(waiting.key, post)
      }
      if (!members.has(waiting.id)) {
        members.set(waiting.id, waiting)
        post.line.push(waiting)
      }
      // The others are told no less than the first one was.
      if (post.line.first === waiting) arm(post, leftMs)
    },
    leave(waiting) {
      if (!members.delete(waiting.id)) return
      const post = posts.get(waiting.key)!
      post.line.delete(waiting)
      if (!post.line.first) {
        agenda.cancel(post)
        posts.delete(waiting.key)
      } else if (post.place < 0) arm(post, post.leftMs)
    },
    lookAgain(key) {
      const found = key === undefined ? [...posts.values()] : [posts.get(key)]
      for (const post of found) for (const waiting of post?.line ?? []) waiting.lookAgain()
    },
    find: (id) => members.get(id),
  }
}
