import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the ports that outgoing connections get (32768 and up on Linux, 49152 elsewhere): while a server is down
// between kill and restart, a client that keeps connecting to its port could otherwise be given that very port.
const portMin = 12_000
const portMax = 32_000
const attempts = 100

/** A port of 127.0.0.1 on which nobody listens now. Another process can still take it first: the start is then repeated. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin))
    const probe = createServer()
    try {
      await once(probe.listen(port, '127.0.0.1'), 'listening')
      probe.close()
      await once(probe, 'close')
      return port
    } catch (error) {
      if (!['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  throw new Error(`no free port among ${attempts} between ${portMin} and ${portMax}`)
}
