import { connect } from 'node:net'

/** Whether the server on `port` replies to `send` with something that `accepts` takes, within two seconds. */
export function answers(
  port: number,
  send: string | Uint8Array,
  accepts: (reply: Buffer) => boolean,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    let reply = Buffer.alloc(0)
    const settle = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(2_000, () => settle(false))
    socket.on('connect', () => socket.write(send))
    socket.on('data', (data) => {
      reply = Buffer.concat([reply, data])
      if (accepts(reply)) settle(true)
    })
    socket.on('error', () => settle(false))
    socket.on('close', () => settle(false))
  })
}
