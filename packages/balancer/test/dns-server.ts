import { createSocket, type Socket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'

const types = { A: 1, SRV: 33 } as const

export interface SrvEntry {
  readonly name: string
  readonly port: number
  readonly priority?: number
  readonly weight?: number
}

export interface DnsServer {
  /** What it answers; the name is unknown while there is nothing. */
  readonly zone: { a: string[]; srv: SrvEntry[] }
  /** Asks this server only. */
  readonly resolver: Resolver
  /** From then on nobody answers, until `open`. */
  close(): Promise<void>
  open(): Promise<void>
}

/** A name server on a free port of this machine, for one name, that answers what a test puts into it. */
export async function dnsServer(): Promise<DnsServer> {
  const zone: DnsServer['zone'] = { a: [], srv: [] }
  let socket: Socket
  let port = 0

  async function open() {
    socket = createSocket('udp4')
    socket.on('message', (message, { port: from, address }) => socket.send(reply(message), from, address))
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
    port = socket.address().port
  }

  function reply(query: Buffer): Buffer {
    let end = 12
    while (query[end] !== 0) end += query[end]! + 1
    const question = query.subarray(12, end + 5)
    const type = query.readUInt16BE(end + 1)
    const records = type === types.A ? zone.a.map(aRecord) : type === types.SRV ? zone.srv.map(srvRecord) : []
    const isUnknown = zone.a.length + zone.srv.length === 0
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(0x8180 | (isUnknown ? 3 : 0), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(records.length, 6)
    return Buffer.concat([header, question, ...records.map(({ type, data }) => record(type, data))])
  }

  function record(type: number, data: Buffer): Buffer {
    const head = Buffer.alloc(12)
    // A pointer to the name in the question.
    head.writeUInt16BE(0xc00c, 0)
    head.writeUInt16BE(type, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(data.length, 10)
    return Buffer.concat([head, data])
  }

  await open()
  const resolver = new Resolver({ timeout: 100, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  return {
    zone,
    resolver,
    async close() {
      socket.close()
      await once(socket, 'close')
    },
    open,
  }
}

const aRecord = (address: string) => ({ type: types.A, data: Buffer.from(address.split('.').map(Number)) })

function srvRecord({ name, port, priority = 1, weight = 1 }: SrvEntry) {
  const numbers = Buffer.alloc(6)
  numbers.writeUInt16BE(priority, 0)
  numbers.writeUInt16BE(weight, 2)
  numbers.writeUInt16BE(port, 4)
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]))
  return { type: types.SRV, data: Buffer.concat([numbers, ...labels, Buffer.from([0])]) }
}
