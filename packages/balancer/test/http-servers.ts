import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A real HTTP server on a free port of this machine, until the end of the scope. */
export interface TestServer extends AsyncDisposable {
  readonly address: string
  readonly server: Server
}

export async function httpServer(listener: RequestListener): Promise<TestServer> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** An address at which nobody listens. */
export async function closedAddress(): Promise<string> {
  await using server = await httpServer(() => {})
  return server.address
}
