export type { ConsulAgent } from './discovery/consul/agent.ts'
export { type ConsulDiscoveryOptions, consulDiscovery } from './discovery/consul/discovery.ts'
export type { ConsulMetadata } from './discovery/consul/entries.ts'
export {
  type RegisterOptions,
  type Registration,
  type RegistrationEvent,
  register,
  type ServiceDescription,
} from './discovery/consul/register.ts'
