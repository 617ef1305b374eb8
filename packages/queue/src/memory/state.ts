import type { Held } from '../consuming/held.ts'
import type { DeadMessage, Delivery, QueueDeclaration, Subscriber } from '../driver.ts'
import { createFifo, type Fifo } from '../fifo.ts'
import { createParked, type Parked } from './parked.ts'

export interface MemoryState {
  readonly declaration: QueueDeclaration
  readonly lines: readonly Line[]
  readonly delayed: Map<Entry, () => void>
  readonly dead: Set<DeadMessage>
  onFull: QueueDeclaration['onFull']
  /** All that is stored: waiting, delivered, delayed, parked or dead. */
  depth: number
  nextOrder: number
}

export interface Line {
  readonly waiting: Fifo<Entry>
  readonly parked: Parked<Entry>
  /** The first is active. */
  readonly subscriptions: Active[]
  scheduled: boolean
}

export interface Active {
  readonly subscriber: Subscriber
  readonly unsettled: Held<Entry>
  /** Those of them that are parked and tried again. */
  unparking: number
  /** It knows which keys are parked. */
  told: boolean
}

export interface Entry {
  readonly message: Delivery['message']
  redeliveries: number
  order: number
  gone: boolean
  parked: boolean
}

export function createState(declaration: QueueDeclaration): MemoryState {
  const lines = Array.from({ length: declaration.partitions }, () => ({
    waiting: createFifo<Entry>(),
    parked: createParked<Entry>(),
    subscriptions: [],
    scheduled: false,
  }))
  return { declaration, lines, delayed: new Map(), dead: new Set(), onFull: undefined, depth: 0, nextOrder: 0 }
}
