import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { isAlive } from '../../src/process-tree.ts'

const script = fileURLToPath(new URL('fixtures/three-servers.ts', import.meta.url))
const goneLimitMs = 20_000

test('a parent that is killed leaves no process and no folder behind', { timeout: 240_000 }, async () => {
  const parent = spawn(process.execPath, ['--conditions=@headrace/source', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(parent.stdout, 'data')
  const { pids, folders } = JSON.parse(String(line)) as { pids: number[]; folders: string[] }
  const names = pids.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
  expect(names).toEqual(expect.arrayContaining(['redis-server', 'postgres', 'beam.smp', 'epmd']))
  expect(folders.filter(existsSync)).toHaveLength(3)

  parent.kill('SIGKILL')
  const deadline = performance.now() + goneLimitMs
  while ((pids.some(isAlive) || folders.some(existsSync)) && performance.now() < deadline) await sleep(50)
  expect(names.filter((_, index) => isAlive(pids[index]!))).toEqual([])
  expect(folders.filter(existsSync)).toEqual([])
})
