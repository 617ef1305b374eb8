import { staticEndpoints } from '@headrace/balancer'
import { describe, expect, it } from 'vitest'

describe('a list of endpoints', () => {
  it('takes the address for the id and 1 for the weight', () => {
    expect(staticEndpoints([{ address: 'a:1' }]).initial).toEqual({
      state: 'fresh',
      endpoints: [{ id: 'a:1', address: 'a:1', weight: 1, metadata: undefined }],
    })
  })

  it.each([
    ['not a list', 'a:1', 'endpoints must be an array, received string'],
    ['an entry that is no object', [null], 'endpoints[0] must be an object, received null'],
    ['an address that is no string', [{ address: 7 }], 'endpoints[0].address must be a string, received number'],
    ['an empty address', [{ address: '' }], 'endpoints[0].address must not be empty'],
    ['an empty id', [{ address: 'a', id: '' }], 'endpoints[0].id must not be empty'],
    [
      'the same id twice',
      [{ address: 'a' }, { address: 'b', id: 'a' }],
      'endpoints[1].id must be unique, received "a" twice',
    ],
    ['a negative weight', [{ address: 'a', weight: -1 }], 'endpoints[0].weight must be from 0 to 1000000, received -1'],
    ['a weight that is no number', [{ address: 'a', weight: Number.NaN }], 'received NaN'],
    ['a weight without limit', [{ address: 'a', weight: Number.POSITIVE_INFINITY }], 'received Infinity'],
  ])('is refused for %s', (_, list, message) => {
    expect(() => staticEndpoints(list as never)).toThrow(message)
  })

  it('does not change with the array it was made from', () => {
    const list = [{ address: 'a:1' }]
    const { initial } = staticEndpoints(list)
    list.push({ address: 'b:1' })
    list[0]!.address = 'c:1'
    expect(initial!.endpoints.map(({ address }) => address)).toEqual(['a:1'])
  })

  it('may be empty, and is then known to be', () => {
    expect(staticEndpoints([]).initial).toEqual({ state: 'confirmed-empty', endpoints: [] })
  })
})
