import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { isAlive, processTree, signalAll } from '../src/process-tree.ts'

test('the tree of a process holds it and its descendants, parents first, and no zombies', async () => {
  const shell = spawn('sh', ['-c', `sh -c 'sleep 60 & echo $!; wait' & wait`], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = await once(shell.stdout, 'data')
  const grandchild = Number(String(line))

  const tree = processTree(shell.pid!)
  expect(tree).toHaveLength(3)
  expect(tree[0]).toBe(shell.pid)
  expect(tree[2]).toBe(grandchild)
  expect(tree.map(isAlive)).toEqual([true, true, true])

  signalAll(tree, 'SIGKILL')
  await once(shell, 'exit')
  expect(processTree(shell.pid!)).toEqual([])
  expect(isAlive(shell.pid!)).toBe(false)
})

test('a signal to a process that is gone is no error', async () => {
  const gone = spawn('true')
  await once(gone, 'exit')
  signalAll([gone.pid!], 'SIGTERM')
})
