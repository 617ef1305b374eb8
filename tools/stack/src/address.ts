/** The servers that the stack knows, each with the variable that holds its address. */
export const variables = {
  redis: 'REDIS_URL',
  rabbitmq: 'AMQP_URL',
  consul: 'CONSUL_HTTP_ADDR',
  postgres: 'DATABASE_URL',
} as const

export type ServerName = keyof typeof variables

export const serverNames: readonly ServerName[] = Object.keys(variables) as ServerName[]

/**
 * The address of a server that somebody else has started, from the environment.
 * @throws Error that names the variable and the command that sets it; tests against servers fail, they are not skipped.
 */
export function serverUrl(name: ServerName): string {
  const variable = variables[name]
  const url = process.env[variable]
  if (!url) throw new Error(`${variable} is not set: run this inside \`pnpm stack run ${name} -- COMMAND\``)
  // Consul's own tools accept an address without a scheme.
  return name === 'consul' && !url.includes('://') ? `http://${url}` : url
}
