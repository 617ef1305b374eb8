/** Where the address of an endpoint leads to by HTTP; `host:port`, or a URL of which the path does not count. */
export function httpAddress(address: string): {
  readonly authority: string
  readonly host: string
  readonly port: string
} {
  const { host, hostname, port } = new URL(address.includes('://') ? address : `http://${address}`)
  return { authority: host, host: hostname.replace(/^\[|\]$/g, ''), port: port || '80' }
}
