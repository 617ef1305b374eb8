/** One operation of a transaction on Consul's key-value store. */
export interface Operation {
  readonly Verb: 'lock' | 'set' | 'cas' | 'delete' | 'get-tree' | 'check-session'
  readonly Key: string
  /** In base64. */
  readonly Value?: string
  readonly Session?: string
  readonly Index?: number
}

/** What a transaction answers with, for each key it read. */
export interface Entry {
  readonly Key: string
  /** In base64; null for what was written and not read. */
  readonly Value: string | null
  readonly Session?: string
  readonly CreateIndex: number
  readonly ModifyIndex: number
}

/** A place in the store that a blocking query waits for. */
export interface Spot {
  readonly name: string
  /** With everything whose name begins like this. */
  readonly recurse: boolean
  /** Answers at once where it was changed after this index. */
  readonly index: number
}

/** What the driver needs of Consul, whichever client speaks to it. Every call throws what the client throws, or a `ConsulRefusal`. */
export interface ConsulPort {
  /** All or nothing. One that only reads asks the leader, who makes sure that it still is. */
  transact(operations: readonly Operation[], signal: AbortSignal): Promise<readonly Entry[]>
  createSession(name: string, ttlMs: number, signal: AbortSignal): Promise<string>
  /** False where Consul does not know the session. */
  renewSession(id: string, signal: AbortSignal): Promise<boolean>
  destroySession(id: string, signal: AbortSignal): Promise<void>
  /** Answers with the present index when `spot` changes, or after about `waitMs`. */
  awaitChange(spot: Spot, waitMs: number, signal: AbortSignal): Promise<number>
  /** Nobody needs it at present. */
  rest(): void
}

/** Consul has answered, and the answer is no. */
export class ConsulRefusal extends Error {
  readonly status: number

  constructor(status: number, text: string) {
    super(`consul answered ${status}: ${text.slice(0, 200)}`)
    this.name = 'ConsulRefusal'
    this.status = status
  }

  /** Nothing has happened: a 5xx can come from a leader that lost its office while it wrote. */
  get certain(): boolean {
    return this.status < 500
  }

  get invalidSession(): boolean {
    return /invalid session|session .* not found/i.test(this.message)
  }
}

const reads = new Set(['get-tree', 'check-session'])

export const onlyReads = (operations: readonly Operation[]): boolean => operations.every(({ Verb }) => reads.has(Verb))

export const envelope = (operations: readonly Operation[]): unknown[] => operations.map((KV) => ({ KV }))

/** The body of the answer to a transaction. */
export interface Outcome {
  readonly Results?: readonly { readonly KV: Entry }[] | null
}

export const entriesOf = (outcome: Outcome): readonly Entry[] => (outcome.Results ?? []).map(({ KV }) => KV)

/**
 * Not bound to a health check: that of the node would end it within seconds of a failure that its process does not
 * notice. No lock-delay: an entry's name is never used twice, and the ttl outlasts what the holder trusts.
 */
export function sessionSettings(name: string, ttlMs: number): SessionSettings {
  return { name, ttl: `${ttlMs}ms`, behavior: 'delete', lockDelay: '0s', checks: [] }
}

export interface SessionSettings {
  readonly name: string
  readonly ttl: string
  readonly behavior: 'delete'
  readonly lockDelay: string
  readonly checks: readonly string[]
}
