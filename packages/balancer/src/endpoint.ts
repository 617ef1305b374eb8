import { checkNumber, describe } from '@headrace/core'

/** Somewhere work can be sent. Immutable; a changed endpoint is another object in the next snapshot. */
export interface Endpoint<Metadata = unknown> {
  /** Unique among the endpoints of one service, and the same for as long as it is the same process. */
  readonly id: string
  /** What the caller needs to reach it: a URL, `host:port`, a path. The balancer never looks inside. */
  readonly address: string
  /** Share of the work relative to the others; 0 takes no new work. */
  readonly weight: number
  readonly metadata: Metadata | undefined
}

/** An endpoint as a discovery or an application writes it down. */
export interface EndpointInput<Metadata = unknown> {
  readonly address: string
  /** The address by default. */
  readonly id?: string | undefined
  /** From 0 to 1,000,000; 1 by default. */
  readonly weight?: number | undefined
  readonly metadata?: Metadata | undefined
}

/**
 * Checks a list and fills in what is left out.
 * @throws TypeError or RangeError naming the entry and the field: an empty address or id, the same id twice, a bad weight.
 */
export function checkedEndpoints<Metadata>(inputs: readonly EndpointInput<Metadata>[]): readonly Endpoint<Metadata>[] {
  if (!Array.isArray(inputs)) throw new TypeError(`endpoints must be an array, received ${describe(inputs)}`)
  const seen = new Set<string>()
  const endpoints = inputs.map((input: EndpointInput<Metadata>, index) => {
    const at = `endpoints[${index}]`
    if (typeof input !== 'object' || input === null) {
      throw new TypeError(`${at} must be an object, received ${describe(input)}`)
    }
    const { address, id = address, weight = 1, metadata } = input
    checkName(`${at}.address`, address)
    checkName(`${at}.id`, id)
    checkNumber(`${at}.weight`, weight, { min: 0, max: 1_000_000 })
    if (seen.has(id)) throw new RangeError(`${at}.id must be unique, received "${id}" twice`)
    seen.add(id)
    return Object.freeze({ id, address, weight, metadata })
  })
  return Object.freeze(endpoints)
}

function checkName(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, received ${describe(value)}`)
  if (value === '') throw new RangeError(`${name} must not be empty`)
}
