import { HeadraceError } from '@headrace/core'

/** What zod, valibot, arktype and others have in common: version 1 of Standard Schema, https://standardschema.dev. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** @throws HeadraceError `REJECTED` that names the path of the first issue, and how many there are. */
export function accepted<Output>(result: SchemaResult<Output>): Output {
  if (!result.issues) return result.value
  const [first] = result.issues
  const path = (first?.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : ''
  throw new HeadraceError(
    'REJECTED',
    `the schema refuses the body${path && ` at "${path}"`}: ${first?.message ?? 'no reason given'}${more}`,
    { cause: result.issues },
  )
}
