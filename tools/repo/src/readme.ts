import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const limitMs = 20_000

/**
 * Runs the first `ts` block of a package's README.md from the sources, with the package as working directory.
 * @param packageUrl the folder of the package, ending in a slash: `new URL('..', import.meta.url)` in its `test/`.
 * @param from where the example runs, if not there: the repository's own README shows what packages do.
 * @param section the heading under which the example is, if it is not the first of all.
 * @returns what the example printed, and what its last comment lines say that it prints, both without white space at the end.
 * @throws when there is no example, when it promises nothing, when it fails, and when it does not end within 20 s.
 */
export async function runReadme(
  packageUrl: URL,
  from: URL = packageUrl,
  section?: string,
): Promise<{ stdout: string; promised: string }> {
  const readme = readFileSync(new URL('README.md', packageUrl), 'utf8')
  const { code, promised } = exampleOf(readme, section)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=@headrace/source',
      '--disable-warning=ExperimentalWarning',
      '--input-type=module-typescript',
      '--eval',
      code,
    ],
    {
      cwd: fileURLToPath(from),
      // nx and CI ask for colours, which a promise does not have.
      env: { ...process.env, FORCE_COLOR: '0' },
      timeout: limitMs,
      // An example that hangs in a handler of its own must still end.
      killSignal: 'SIGKILL',
    },
  )
  return { stdout: stdout.trimEnd(), promised }
}

/** The first `ts` block of a README, or of one of its sections, and the last unbroken run of comment lines in it without their slashes. */
export function exampleOf(readme: string, section?: string): { code: string; promised: string } {
  const start = section === undefined ? 0 : readme.indexOf(`\n${section}\n`)
  if (start === -1) throw new Error(`README.md has no section "${section}"`)
  const code = /^```ts\n([\s\S]*?)^```/m.exec(readme.slice(start))?.[1]
  if (code === undefined) throw new Error('README.md has no ts block')
  const comments = [...code.matchAll(/(?:^\/\/.*\n)+/gm)].at(-1)?.[0]
  if (comments === undefined) throw new Error('the ts block of README.md has no comment that says what it prints')
  return { code, promised: comments.replace(/^\/\/ ?/gm, '').trimEnd() }
}
