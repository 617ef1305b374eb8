export interface Scene {
  readonly nodes: number
  readonly attempts: number
  /**
   * `any`: a node may forget its owner at any moment, as if clocks ran as they like; only tokens are looked at.
   * `bounded`: never before the ttl has ended for the client, which counts from the sending; then nobody may hold at the
   * same time as somebody else.
   */
  readonly clocks: 'any' | 'bounded'
  /** How often each vote may arrive at a node; 2 by default: a message that comes again. */
  readonly deliveriesMax?: number
  /** First tokens that a client may propose; only 0 by default. */
  readonly proposals?: readonly number[]
  /** Size of the block of tokens of each grant; 1 by default. */
  readonly tokens?: number
  /** Nodes that may restart empty: 0 (the default) or 1. */
  readonly restarts?: 0 | 1
  /** Holders renew, and then take the nodes that they lack. */
  readonly renewals?: boolean
  /** A client may name an attempt that is over, and take the key from it before the node has heard. */
  readonly handsOver?: boolean
  /** What a careless implementation does instead. */
  readonly careless?: Careless
}

export const carelessness = [
  'one round',
  'raise without owner check',
  'raise that keeps a higher counter',
  'release without owner check',
  'votes right after an empty restart',
  'copies at once after an empty restart',
  'waits after an empty restart, copies nothing',
  'trust from the answer',
  'hand-over from an owner whose ttl ended at one node',
  'renewal by one node',
  'asks again under the name that it has given back',
  'a minority is enough',
] as const

export type Careless = (typeof carelessness)[number]

/** The scene with its defaults. */
export type Whole = Required<Omit<Scene, 'careless'>> & { readonly careless: Careless | undefined }

export function wholeScene(scene: Scene): Whole {
  const { nodes, attempts, clocks, deliveriesMax = 2, proposals = [0], tokens = 1 } = scene
  const { restarts = 0, renewals = false, handsOver = false, careless } = scene
  return { nodes, attempts, clocks, deliveriesMax, proposals, tokens, restarts, renewals, handsOver, careless }
}
