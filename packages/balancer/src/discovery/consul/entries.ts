import { describe, HeadraceError } from '@headrace/core'
import type { EndpointInput } from '../../endpoint.ts'

/** What Consul knows of an endpoint beside its address. */
export interface ConsulMetadata {
  readonly node: string
  readonly datacenter: string
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, string>>
}

/** The part that is used of an entry of /v1/health/service. */
interface Entry {
  readonly Node: { readonly Node: string; readonly Address: string; readonly Datacenter: string }
  readonly Service: {
    readonly ID: string
    readonly Address: string
    readonly Port: number
    readonly Tags?: readonly string[] | null
    readonly Meta?: Readonly<Record<string, string>> | null
    readonly Weights?: { readonly Passing: number; readonly Warning: number }
  }
  readonly Checks: readonly { readonly Status: string }[]
}

/**
 * The endpoints of an answer, by id. Critical ones are left out; the weight is the one that Consul has for passing or warning.
 * @throws HeadraceError `UNAVAILABLE` for an answer that is not a list of entries.
 */
export function endpointsOf(body: unknown): EndpointInput<ConsulMetadata>[] {
  if (!Array.isArray(body)) throw malformed(`a list, received ${describe(body)}`)
  return body
    .map((entry: unknown) => {
      if (!isEntry(entry)) throw malformed('entries with Node, Service and Checks')
      return entry
    })
    .filter(({ Checks }) => statusOf(Checks) !== 'critical')
    .map(endpointOf)
    .sort((one, other) => (one.id! < other.id! ? -1 : 1))
}

function endpointOf({ Node, Service, Checks }: Entry): EndpointInput<ConsulMetadata> {
  const host = Service.Address || Node.Address
  const { Passing = 1, Warning = 1 } = Service.Weights ?? {}
  return {
    // Service ids are unique on a node only.
    id: `${Node.Node}/${Service.ID}`,
    address: `${host.includes(':') ? `[${host}]` : host}:${Service.Port}`,
    weight: statusOf(Checks) === 'warning' ? Warning : Passing,
    metadata: { node: Node.Node, datacenter: Node.Datacenter, tags: Service.Tags ?? [], meta: Service.Meta ?? {} },
  }
}

function statusOf(checks: Entry['Checks']): 'passing' | 'warning' | 'critical' {
  const statuses = checks.map(({ Status }) => Status)
  if (statuses.every((status) => status === 'passing')) return 'passing'
  return statuses.every((status) => status === 'passing' || status === 'warning') ? 'warning' : 'critical'
}

function isEntry(entry: unknown): entry is Entry {
  const { Node, Service, Checks } = (entry ?? {}) as Partial<Entry>
  return (
    typeof Node?.Node === 'string' &&
    typeof Node.Address === 'string' &&
    typeof Service?.ID === 'string' &&
    typeof Service.Address === 'string' &&
    Number.isInteger(Service.Port) &&
    Array.isArray(Checks)
  )
}

function malformed(wanted: string): HeadraceError {
  return new HeadraceError('UNAVAILABLE', `the answer of Consul must be ${wanted}`)
}
