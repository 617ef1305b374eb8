import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8')

it('every hazard has the tests that HAZARDS.md names', () => {
  const rows = read('HAZARDS.md').matchAll(/^\| +(\d+) +\|.*$/gm)
  const hazards = Array.from(rows, ([row, number]) => {
    const files = Array.from(row.matchAll(/\(([^)]+\.test\.ts)\)/g), ([, file]) => file!)
    return { number: Number(number), files }
  })
  expect(hazards.map(({ number }) => number)).toEqual(Array.from({ length: 37 }, (_, at) => at + 1))
  for (const { number, files } of hazards) {
    expect(files.length).toBeGreaterThan(0)
    for (const file of files)
      expect(`${file}: ${read(file)}`).toMatch(new RegExp(`hazards? ([0-9, ]|and )*\\b${number}\\b`))
  }
})
