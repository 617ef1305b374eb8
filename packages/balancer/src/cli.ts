#!/usr/bin/env node
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Balancer, createBalancer } from './balancer.ts'
import { consulDiscovery } from './discovery/consul/discovery.ts'
import type { Discovery } from './discovery/discovery.ts'
import { dnsDiscovery } from './discovery/dns.ts'
import { staticEndpoints } from './discovery/static.ts'
import { httpCheck } from './http-check.ts'
import { balancedProxy } from './proxy.ts'

const usage = `headrace-balance: an HTTP proxy before the endpoints of a service

  --endpoints HOST:PORT,…   these endpoints, or
  --service NAME            those that Consul knows, or
  --dns NAME[:PORT]         those that DNS knows: A and AAAA with a port, SRV without
  --consul URL              the agent; CONSUL_HTTP_ADDR or http://127.0.0.1:8500 by default
  --check PATH              asks each endpoint for this every 5 s: an answer below 400 says that it is well
  --listen [HOST:]PORT      127.0.0.1:8080 by default
`

/** A proxy that runs. */
export interface RunningProxy {
  readonly balancer: Balancer<unknown>
  readonly server: Server
  /** Takes no more, and waits for what is under way. */
  close(): Promise<void>
}

/** Starts what the arguments of `headrace-balance` say. @throws TypeError or RangeError for bad ones, or what `listen` fails with. */
export async function startProxy(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<RunningProxy> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      endpoints: { type: 'string' },
      service: { type: 'string' },
      dns: { type: 'string' },
      consul: { type: 'string', default: environment['CONSUL_HTTP_ADDR'] || 'http://127.0.0.1:8500' },
      check: { type: 'string' },
      listen: { type: 'string', default: '127.0.0.1:8080' },
    },
  })
  const [host, port] = hostAndPort('--listen', values.listen)
  const { check } = values
  const balancer = createBalancer<unknown>(
    discoveryOf(values, environment['CONSUL_HTTP_TOKEN']),
    check === undefined ? {} : { healthCheck: { check: httpCheck(check) } },
  )
  const server = createServer(balancedProxy(balancer))
  server.listen(port, host)
  await once(server, 'listening')
  return {
    balancer,
    server,
    async close() {
      server.close()
      await balancer.close()
      server.closeAllConnections()
    },
  }
}

function discoveryOf(
  values: { endpoints?: string; service?: string; dns?: string; consul: string },
  token: string | undefined,
): Discovery<unknown> {
  const { endpoints, service, dns, consul } = values
  if ([endpoints, service, dns].filter((it) => it !== undefined).length !== 1) {
    throw new RangeError('give one of --endpoints, --service and --dns')
  }
  if (endpoints !== undefined) return staticEndpoints(endpoints.split(',').map((address) => ({ address })))
  // Consul's own tools accept an address without a scheme.
  const url = consul.includes('://') ? consul : `http://${consul}`
  if (service !== undefined) return consulDiscovery({ url, token }, service)
  const [name = '', port] = dns!.split(':')
  return dnsDiscovery(name, port === undefined ? {} : { port: portOf('--dns', port) })
}

function hostAndPort(flag: string, text: string): [host: string, port: number] {
  const colon = text.lastIndexOf(':')
  return [colon === -1 ? '127.0.0.1' : text.slice(0, colon), portOf(flag, text.slice(colon + 1))]
}

function portOf(flag: string, text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new RangeError(`${flag} must have a port from 0 to 65535, received "${text}"`)
  return port
}

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  if (args.includes('--help')) return void process.stdout.write(usage)
  try {
    const proxy = await startProxy(args)
    const address = proxy.server.address()
    console.error(`listening on ${typeof address === 'object' ? `${address?.address}:${address?.port}` : address}`)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void proxy.close())
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exitCode = 2
  }
}

// Imported, it does nothing: npm starts it through a link.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main()
