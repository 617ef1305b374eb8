import { createQueue, type StandardSchema } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'

describe('createQueue', () => {
  it('takes the types of what is sent and received from the schema', async () => {
    const counted: StandardSchema<{ count: string }, { count: number }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => ({ value: { count: Number((value as { count: string }).count) } }),
      },
    }
    const queue = createQueue(memoryQueue(), 'typed', { schema: counted })
    const seen = new Promise((resolve) => queue.consume(({ body }) => resolve(body.count.toFixed(1))))
    await queue.publish({ count: '7' })
    expect(await seen).toBe('7.0')
    // @ts-expect-error a number is what is received, not what is sent
    await queue.publish({ count: 7 })
    await queue.close()
  })

  it.each([
    [{ partitions: 0 }, 'partitions'],
    [{ retry: { attempts: 0 } }, 'attempts'],
    [{ retry: { delayMinMs: 10, delayMaxMs: 5 } }, 'delayMaxMs'],
    [{ depthMax: 1.5 }, 'depthMax'],
    [{ windowMax: 0 }, 'windowMax'],
    [{ windowBytesMax: 0 }, 'windowBytesMax'],
    [{ messageBytesMax: 2 ** 40 }, 'messageBytesMax'],
    [{ publishMs: 0 }, 'publishMs'],
    [{ callMs: Number.NaN }, 'callMs'],
    [{ schema: {} as never }, 'schema'],
  ])('names the option that is wrong in %j', (options, name) => {
    expect(() => createQueue(memoryQueue(), 'q', options)).toThrow(name)
  })

  it('refuses a name that leaves a broker no room for its own', () => {
    expect(() => createQueue(memoryQueue(), 'n'.repeat(201))).toThrow('name must be at most 200 bytes')
    expect(() => createQueue(memoryQueue(), '')).toThrow('name must not be empty')
  })
})
