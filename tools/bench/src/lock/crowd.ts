// A process of waiters for one key: says when all of them wait, how many commands it has sent when asked, and when one got it.
import { createInterface } from 'node:readline'
import { openLibrary } from './libraries.ts'

const { library, urls, prefix, waiters } = JSON.parse(process.argv[2]!)
const locks = await openLibrary(library, urls, prefix)
const first = Promise.race(Array.from({ length: waiters }, () => locks.acquire('crowded')))
void first.then(() => process.stdout.write(`${process.hrtime.bigint()}\n`))
await locks.asked()
process.stdout.write('waiting\n')
createInterface({ input: process.stdin }).on('line', () => process.stdout.write(`${locks.commands}\n`))
