/** Where things are in Consul's store. */
export interface Names {
  /** The folder that holds the line of a key. */
  folder(key: string): string
  entry(of: { readonly key: string; readonly id: string }): string
  mailbox(session: string): string
  readonly epoch: string
}

export function namesIn(prefix: string): Names {
  const folder = (key: string) => `${prefix}/${encodeURIComponent(key).replaceAll('.', '%2E')}/`
  return {
    folder,
    entry: ({ key, id }) => folder(key) + id,
    // A dot begins no folder of a key.
    mailbox: (session) => `${prefix}/.mail/${session}`,
    epoch: `${prefix}/.epoch`,
  }
}
