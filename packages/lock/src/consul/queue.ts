import type { Share } from '../driver.ts'
import type { Entry, Spot } from './port.ts'

/** What an entry says of whoever made it. */
export interface Note {
  readonly ttlMs: number
  /** When it was made, by the wall clock of its maker. */
  readonly atMs: number
  readonly label?: string | undefined
  readonly share?: Share | undefined
}

/** An entry in the line of a key. */
export interface Ticket {
  readonly id: string
  readonly name: string
  readonly session: string
  readonly createIndex: number
  readonly modifyIndex: number
  readonly note: Note
}

export const encoded = (content: unknown): string => Buffer.from(JSON.stringify(content)).toString('base64')

export const decoded = (value: string): unknown => {
  try {
    return JSON.parse(Buffer.from(value, 'base64').toString())
  } catch {
    return undefined
  }
}

/**
 * The line of a key, from `entries` as a transaction has read them: by the index at which each was made.
 * An entry without a session was made by somebody else, and would stand in the way for ever.
 */
export function ticketsOf(entries: readonly Entry[], folder: string): Ticket[] {
  const tickets: Ticket[] = []
  for (const { Key, Value, Session, CreateIndex, ModifyIndex } of entries) {
    if (Value === null || !Session || !Key.startsWith(folder)) continue
    tickets.push({
      id: Key.slice(folder.length),
      name: Key,
      session: Session,
      createIndex: CreateIndex,
      modifyIndex: ModifyIndex,
      note: (decoded(Value) ?? { ttlMs: 0, atMs: 0 }) as Note,
    })
  }
  return tickets.sort((one, other) => one.createIndex - other.createIndex)
}

/**
 * Whether the ticket at `at` holds the key: those before it and itself fit in together. Then each of those before it
 * holds as well; and where it does not fit, nobody behind it passes.
 */
export function holds(tickets: readonly Ticket[], at: number): boolean {
  const share = tickets[at]!.note.share
  if (!share) return at === 0
  let taken = share.weight
  for (const { note } of tickets.slice(0, at)) {
    if (!note.share) return false
    taken += note.share.weight
  }
  return taken <= share.capacity
}

/** What must change before the ticket at `at` can hold. The last of those that keep everybody out: no herd at a release. */
export function hindrance(tickets: readonly Ticket[], at: number, folder: string): Spot {
  const before = tickets.slice(0, at)
  const last = tickets[at]!.note.share ? before.findLast(({ note }) => !note.share) : before.at(-1)
  if (last) return { name: last.name, recurse: false, index: last.modifyIndex }
  // Permits: whichever of those before it goes, it may make room.
  return { name: folder, recurse: true, index: Math.max(...tickets.map(({ modifyIndex }) => modifyIndex)) }
}
