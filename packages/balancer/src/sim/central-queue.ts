import type { Request, Server } from './server.ts'

/**
 * What no client-side balancer can have: one line for all dispatchers, and a server chosen only when it is idle, the fastest
 * first, seen without delay. For endpoints that are all alike it is the optimum among all that do not know how
 * long a request will take; for unlike ones it is the reference.
 */
export function centralQueue(
  servers: readonly Server[],
  send: (request: Request, server: Server) => void,
): { arrive(request: Request): void; freed(): void } {
  const line: Request[] = []
  let first = 0

  function assign(): void {
    while (first < line.length) {
      let fastest: Server | undefined
      for (const server of servers) {
        if (server.idleWorkers > 0 && (!fastest || server.speed > fastest.speed)) fastest = server
      }
      if (!fastest) return
      const request = line[first]!
      line[first++] = null as never
      send(request, fastest)
    }
    line.length = 0
    first = 0
  }

  return {
    arrive(request) {
      line.push(request)
      assign()
    },
    freed: assign,
  }
}
