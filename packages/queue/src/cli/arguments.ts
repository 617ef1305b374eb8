import { parseArgs } from 'node:util'

export const usage = `headrace-queue: looks at a queue, and gives back or removes what is dead

  headrace-queue stats QUEUE
  headrace-queue peek QUEUE [--limit 10]          what waits; needs a moment without another consumer
  headrace-queue dead QUEUE [--limit 20]          what was given up, oldest first
  headrace-queue redrive QUEUE [--rate PER-SEC]   puts dead letters back into their queue
  headrace-queue purge QUEUE --yes                removes dead letters for good
  headrace-queue parked QUEUE                     keys that wait for someone
  headrace-queue unpark QUEUE KEY                 tries a parked key again
  headrace-queue skip QUEUE KEY                   gives up its failed message, and goes on

  --rabbitmq URL   the broker; AMQP_URL by default, which keeps the password out of the list of processes
  --sqlite FILE    or a queue file that no other process has open
  --json           one line of JSON
  --limit N, --reason REASON, --key KEY, --id ID, --error TEXT   which dead letters; those whose error contains the text
  --depth-max N    of a queue on RabbitMQ whose name is too long for the broker to say it
  --dry-run        counts what redrive or purge would do

Exits with 0 when done, 1 when it could not be done, 2 for arguments that are wrong, 130 when interrupted.
`

export const commands = ['stats', 'peek', 'dead', 'redrive', 'purge', 'parked', 'unpark', 'skip'] as const
export type CommandName = (typeof commands)[number]

export interface Arguments {
  readonly command: CommandName
  readonly queue: string
  /** For unpark and skip. */
  readonly key: string | undefined
  readonly backend: { readonly sqlite: string } | { readonly rabbitmq: string }
  readonly json: boolean
  readonly dryRun: boolean
  readonly yes: boolean
  readonly limit: number | undefined
  readonly depthMax: number | undefined
  readonly rate: number | undefined
  /** What a dead letter must have. */
  readonly wanted: Readonly<Partial<Record<'reason' | 'key' | 'id' | 'error', string>>>
}

/** @throws TypeError or RangeError that says which argument is wrong, and never what a URL has in it. */
export function readArguments(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rabbitmq: { type: 'string' },
      sqlite: { type: 'string' },
      json: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      limit: { type: 'string' },
      'depth-max': { type: 'string' },
      rate: { type: 'string' },
      reason: { type: 'string' },
      key: { type: 'string' },
      id: { type: 'string' },
      error: { type: 'string' },
    },
  })
  const [command, queue, key, ...more] = positionals
  if (!isCommand(command)) throw new RangeError(`the command must be one of ${commands.join(', ')}`)
  if (queue === undefined) throw new RangeError(`${command} needs the name of a queue`)
  const takesKey = command === 'unpark' || command === 'skip'
  if (takesKey && key === undefined) throw new RangeError(`${command} needs a key`)
  if (more.length > 0 || (!takesKey && key !== undefined)) throw new RangeError(`${command} takes no more arguments`)
  if (values.yes && values['dry-run']) throw new RangeError('--yes and --dry-run exclude each other')
  const { reason, key: wantedKey, id, error } = values
  const wanted = Object.fromEntries(
    Object.entries({ reason, key: wantedKey, id, error }).filter(([, value]) => value !== undefined),
  ) as Arguments['wanted']
  return {
    command,
    queue,
    key,
    backend: backendOf(values, environment),
    json: values.json,
    dryRun: values['dry-run'],
    yes: values.yes,
    limit: positive('--limit', values.limit),
    depthMax: positive('--depth-max', values['depth-max']),
    rate: positive('--rate', values.rate),
    wanted,
  }
}

function isCommand(word: string | undefined): word is CommandName {
  return commands.includes(word as CommandName)
}

function backendOf(
  { sqlite, rabbitmq }: { readonly sqlite?: string | undefined; readonly rabbitmq?: string | undefined },
  environment: Readonly<Record<string, string | undefined>>,
): Arguments['backend'] {
  if (sqlite !== undefined && rabbitmq !== undefined) throw new RangeError('give one of --sqlite and --rabbitmq')
  if (sqlite !== undefined) return { sqlite }
  const url = rabbitmq ?? environment['AMQP_URL']
  if (!url) throw new RangeError('give --sqlite FILE, --rabbitmq URL, or AMQP_URL')
  if (!/^amqps?:\/\//.test(url) || !URL.canParse(url))
    throw new RangeError('the URL of RabbitMQ must begin with amqp:// or amqps://')
  return { rabbitmq: url }
}

function positive(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  const whole = flag === '--rate' || Number.isSafeInteger(value)
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0 || !whole) {
    throw new RangeError(`${flag} must be a positive ${flag === '--rate' ? 'number' : 'integer'}, received "${text}"`)
  }
  return value
}
