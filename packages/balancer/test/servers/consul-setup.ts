import { randomUUID } from 'node:crypto'

export function freshService(): string {
  return `shop-${randomUUID()}`
}

export async function put(url: string, path: string, body?: unknown): Promise<void> {
  const response = await fetch(new URL(path, url), {
    method: 'PUT',
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${response.status} to PUT ${path}: ${await response.text()}`)
  await response.arrayBuffer()
}

/** Tells the agent of a service at an address, without going through the code under test. */
export async function announce(url: string, service: string, address: string, more: object = {}): Promise<void> {
  const [host, port] = address.split(':')
  await put(url, '/v1/agent/service/register', {
    ID: `${service}-${address}`,
    Name: service,
    Address: host,
    Port: Number(port),
    ...more,
  })
}

export async function withdraw(url: string, service: string, address: string): Promise<void> {
  await put(url, `/v1/agent/service/deregister/${service}-${address}`)
}

/** Waits until `is` gives true, asked every few milliseconds. @throws after `limitMs`. */
export async function until(is: () => boolean | Promise<boolean>, limitMs = 15_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!(await is())) {
    if (performance.now() > endMs) throw new Error(`it did not happen within ${limitMs} ms: ${is}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
