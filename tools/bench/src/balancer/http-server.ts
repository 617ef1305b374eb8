import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

// A process of its own: four requests at a time, each `delayMs`; a delay of 0 answers 500 at once.
const delayMs = Number(process.argv[2])
const line: (() => void)[] = []
let free = 4
let served = 0

function step(answer: () => void): void {
  free--
  setTimeout(() => {
    free++
    answer()
    const next = line.shift()
    if (next) step(next)
  }, delayMs)
}

const server = createServer((_, response) => {
  served++
  const answer = () => response.end('done')
  if (delayMs === 0) response.writeHead(500).end()
  else if (free > 0) step(answer)
  else line.push(answer)
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('message', () => process.send?.(served))
process.on('disconnect', () => process.exit())
