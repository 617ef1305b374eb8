import type { Endpoint } from './endpoint.ts'
import type { LoadMeter } from './load/load-meter.ts'

/** `in`: gets work. `out`: gets none. `probe`: gets one piece of work, on which it depends. */
export type Health = 'in' | 'out' | 'probe'

/** What ejection remembers of an endpoint that has failed. */
export interface HealthRecord {
  health: Health
  /** Of work. */
  failuresInRow: number
  checksFailedInRow: number
  /** Ejections since it last stayed in. */
  ejections: number
  /** When the pause of the last ejection ends. */
  untilMs: number
  /** Whether its probe is under way. */
  probing: boolean
}

/** One process behind an address, as long as it is known or still busy. */
export interface Member<Metadata> {
  /** As the last snapshot has it; weight and metadata change, id and address do not. */
  endpoint: Endpoint<Metadata>
  readonly load: LoadMeter
  /** Whether it is in the last list. */
  isKnown: boolean
  /** Its place among the candidates of the present view; -1 where it is none. */
  index: number
  /** Undefined as long as it has not failed. */
  record: HealthRecord | undefined
}

export function healthOf(member: Member<unknown>): Health {
  return member.record?.health ?? 'in'
}
