import { connect, createServer, type Socket } from 'node:net'

/** A network between clients and a server, on which connections can be slow, cut and silent. */
export interface Network extends AsyncDisposable {
  /** Where the server is to be found through it. */
  readonly url: string
  /** Whether every byte travels by itself. */
  drip(on: boolean): void
  /** Both ends of every connection are told that it is over, in the middle of whatever is under way. */
  reset(): void
  /** The connections that are there stay open, and carry nothing any more: not even that the other end has gone. */
  silence(): void
}

export async function startNetwork(target: string): Promise<Network> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const silent = new WeakSet<Socket>()
  let dripping = false

  function pass(from: Socket, to: Socket): void {
    sockets.add(from)
    from.setNoDelay(true)
    from.on('data', (data: Buffer) => {
      if (silent.has(from)) return
      if (!dripping) to.write(data)
      else for (let at = 0; at < data.length; at++) to.write(data.subarray(at, at + 1))
    })
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      if (!silent.has(from)) to.destroy()
    })
  }

  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) })
    pass(near, far)
    pass(far, near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(target)
  url.host = `127.0.0.1:${(server.address() as { readonly port: number }).port}`
  return {
    url: url.href,
    drip(on) {
      dripping = on
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    silence() {
      for (const socket of sockets) silent.add(socket)
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
