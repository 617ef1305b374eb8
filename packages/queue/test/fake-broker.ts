import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** As much of AMQP 0-9-1 as a publisher needs. It stores nothing, and confirms what the test says, when the test says so. */
export interface FakeBroker extends AsyncDisposable {
  readonly url: string
  /** The bodies of what was published, one channel for all; the first has the tag 1. */
  readonly bodies: readonly string[]
  ack(tag: number, multiple?: boolean): void
  nack(tag: number, multiple?: boolean): void
  /** Gives a message back that no queue takes; it still has to be confirmed. */
  giveBack(tag: number): void
  /** Ends every connection. */
  breakOff(): void
  published(count: number): Promise<void>
}

const [methodFrame, headerFrame, bodyFrame] = [1, 2, 3]
const frameEnd = 0xce
const nothing = Buffer.alloc(0)
const u16 = (value: number) => Buffer.from([value >> 8, value & 255])
const u32 = (value: number) => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)])
const u64 = (value: number) => Buffer.concat([u32(Math.floor(value / 2 ** 32)), u32(value >>> 0)])
const short = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
const long = (text: string) => Buffer.concat([u32(text.length), Buffer.from(text)])
const frame = (type: number, channel: number, payload: Buffer) =>
  Buffer.concat([Buffer.from([type]), u16(channel), u32(payload.length), payload, Buffer.from([frameEnd])])
const method = (channel: number, [group, number]: readonly [number, number], ...args: Buffer[]) =>
  frame(methodFrame, channel, Buffer.concat([u16(group), u16(number), ...args]))

/** What is asked for, and what the answer is. */
const answers: Readonly<Record<string, readonly [group: number, number: number, args: Buffer]>> = {
  '10.11': [10, 30, Buffer.concat([u16(100), u32(131_072), u16(0)])],
  '10.40': [10, 41, short('')],
  '10.50': [10, 51, nothing],
  '20.10': [20, 11, long('')],
  '20.40': [20, 41, nothing],
  '40.10': [40, 11, nothing],
  '50.10': [50, 11, Buffer.concat([short('q'), u32(0), u32(0)])],
  '85.10': [85, 11, nothing],
}

export async function startFakeBroker(): Promise<FakeBroker> {
  const bodies: string[] = []
  const headers: Buffer[] = []
  const sockets = new Set<Socket>()
  let publisher: { readonly socket: Socket; readonly channel: number } | undefined
  const tell = (...args: [name: readonly [number, number], ...rest: Buffer[]]) =>
    publisher!.socket.write(method(publisher!.channel, ...args))

  function receive(socket: Socket, type: number, channel: number, payload: Buffer): void {
    if (type === headerFrame) headers.push(payload)
    if (type === bodyFrame) bodies.push(payload.toString())
    if (type !== methodFrame) return
    const name = `${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`
    if (name === '60.40') publisher = { socket, channel }
    const answer = answers[name]
    if (answer) socket.write(method(channel, [answer[0], answer[1]], answer[2]))
  }

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    let buffered = nothing
    let greeted = false
    socket.on('data', (data: Buffer) => {
      buffered = Buffer.concat([buffered, data])
      if (!greeted && buffered.length >= 8) {
        greeted = true
        buffered = buffered.subarray(8)
        socket.write(method(0, [10, 10], Buffer.from([0, 9]), u32(0), long('PLAIN AMQPLAIN'), long('en_US')))
      }
      while (greeted && buffered.length >= 7) {
        const size = buffered.readUInt32BE(3)
        if (buffered.length < size + 8) break
        receive(socket, buffered[0]!, buffered.readUInt16BE(1), buffered.subarray(7, 7 + size))
        buffered = buffered.subarray(size + 8)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { readonly port: number }
  const breakOff = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    bodies,
    ack: (tag, multiple = false) => tell([60, 80], u64(tag), Buffer.from([Number(multiple)])),
    nack: (tag, multiple = false) => tell([60, 120], u64(tag), Buffer.from([Number(multiple)])),
    giveBack(tag) {
      tell([60, 50], u16(312), short('NO_ROUTE'), short(''), short('q'))
      const { socket, channel } = publisher!
      socket.write(frame(headerFrame, channel, headers[tag - 1]!))
      socket.write(frame(bodyFrame, channel, Buffer.from(bodies[tag - 1]!)))
    },
    breakOff,
    async published(count) {
      while (bodies.length < count) await sleep(1)
    },
    async [Symbol.asyncDispose]() {
      breakOff()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
