import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A process with an HTTP server; how it answers, and how many requests it works on at once, comes from its arguments. */
const [behaviour = 'work', delay = '5', workers = '4'] = process.argv.slice(2)
const line: (() => void)[] = []
const seen: string[] = []
let busy = 0

function work(answer: () => void): void {
  if (busy >= Number(workers)) return void line.push(() => work(answer))
  busy++
  setTimeout(() => {
    busy--
    answer()
    line.shift()?.()
  }, Number(delay))
}

const server = createServer((incoming, response) => {
  seen.push(incoming.url!.slice(1))
  if (behaviour === 'fail') response.writeHead(500).end()
  else work(() => response.end(incoming.url!.slice(1)))
})
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }))
process.on('message', () => process.send!({ seen }))
process.on('disconnect', () => process.exit())
